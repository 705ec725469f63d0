//! An answer that was given is given again, by whoever is left.

use prost::Message;
use proto::licensing::v1::ChangeQuantityRequest;
use tests::world::{Refused, fresh};
use tonic::Code;

use super::asking::{CHANGE_QUANTITY, UPDATE_LICENSES};
use super::stage::Stage;
use super::watching::in_the_end;

/// Method, token, request, and how it was answered.
type Known = (&'static str, String, Vec<u8>, Result<Vec<u8>, Refused>);

const SEATS: i32 = 30;
const USERS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_answered_has_the_same_answer_byte_for_byte_after_a_kill() {
    let mut stage = Stage::set(SEATS, USERS).await;
    let mut asking = stage.asking(0);
    let mut known: Vec<Known> = Vec::new();
    for round in 0..20 {
        let from = round * 7 % (USERS - 10);
        // Some get a seat, some had one and for some there is none: every third change takes some back.
        let request = stage.change(&stage.users[from..from + 10], round % 3 != 2);
        known.push((UPDATE_LICENSES, stage.helper(round), request.encode_to_vec(), Ok(Vec::new())));
        let request = ChangeQuantityRequest {
            subscription_id: stage.subscription.clone(),
            quantity: if round % 2 == 0 { 1 } else { SEATS + i32::try_from(round).unwrap() },
            request_id: fresh(),
            ..Default::default()
        };
        known.push((CHANGE_QUANTITY, stage.seller.clone(), request.encode_to_vec(), Ok(Vec::new())));
    }
    for (method, token, request, answer) in &mut known {
        *answer = asking.ask(method, token, request).await.map_err(|status| Refused::of(&status));
    }
    let refused = known.iter().filter(|(.., answer)| answer.is_err()).count();
    println!("{} answers, {refused} of them refusals", known.len());
    assert!((5..20).contains(&refused), "a quantity of one is too few once seats are taken: {refused}");
    let before = in_the_end(&stage).await;

    for replica in 0..2 {
        let member = stage.fleet.cluster.member_mut("licensing", replica);
        member.process.kill9().await;
        for (method, token, request, answer) in known.iter().filter(|(.., answer)| answer.is_ok()) {
            let again = asking.ask(method, token, request).await;
            assert!(again.as_ref().ok() == answer.as_ref().ok(), "{method} tells another thing than before: {again:?}");
        }
        stage.fleet.cluster.member_mut("licensing", replica).process.restart().await;
    }
    assert!(asking.repeated > 0, "a replica was away");
    assert_eq!(in_the_end(&stage).await, before, "a repetition has no second effect");

    // The same request_id with another body is no repetition.
    let (method, token, request, _) = &known[0];
    let mut other = proto::licensing::v1::UpdateLicensesRequest::decode(request.as_slice()).unwrap();
    other.user_ids.pop();
    let status = asking.ask(method, token, &other.encode_to_vec()).await.unwrap_err();
    assert_eq!(Refused::of(&status), Refused { code: Code::InvalidArgument, reason: "REQUEST_ID_REUSED".to_owned() });
}
