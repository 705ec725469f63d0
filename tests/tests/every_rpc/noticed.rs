//! What the judge would notice, on a made-up contract and made-up answers.

use prost::Message;
use prost_reflect::prost_types::Timestamp;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use proto::identity::v1 as identity;
use proto::partner::v1 as partner;
use tests::tidy::contract::Described;

use super::answers::dry_differences;
use super::contract::{Covered, gaps, served};
use super::exceptions::{Exception, Why};
use super::place::Place;

const MADE_UP: &str = r#"
    syntax = "proto3";
    package tandem.partner.v1;
    import "tandem/common/v1/options.proto";
    service ShelfService {
      rpc MoveBooks(MoveBooksRequest) returns (MoveBooksResponse) {}
    }
    message MoveBooksRequest {
      string shelf_id = 1;
      repeated Move moves = 2;
      repeated string reader_ids = 3;
      string request_id = 4;
      string identity = 5;
    }
    message Move {
      string book_id = 1;
      bytes cover_id = 2;
    }
    message MoveBooksResponse {}
"#;

fn made_up() -> Described {
    Described::of(&[("proto/tandem/partner/v1/made_up.proto", MADE_UP)])
}

#[test]
fn an_id_is_found_wherever_it_stands_in_a_request() {
    let shape = served(&made_up())[0].descriptor.input();
    let places = Place::all(&shape);
    let names: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["MoveBooksRequest.shelf_id", "MoveBooksRequest.moves.book_id", "MoveBooksRequest.reader_ids"]);

    let mut request = DynamicMessage::new(shape.clone());
    assert!(places.iter().all(|place| place.read(&request).is_none()), "nothing is named");
    let book = shape.get_field_by_name("moves").unwrap().kind().as_message().unwrap().clone();
    let mut moved = DynamicMessage::new(book);
    moved.set_field_by_name("book_id", Value::String("1984".to_owned()));
    request.set_field_by_name("shelf_id", Value::String("upper".to_owned()));
    request.set_field_by_name("moves", Value::List(vec![Value::Message(moved)]));
    request.set_field_by_name("reader_ids", Value::List(vec![Value::String("ada".to_owned())]));
    for (place, named) in places.iter().zip(["upper", "1984", "ada"]) {
        assert_eq!(place.read(&request).as_deref(), Some(named));
        let swapped = place.written(&request, "other");
        assert_eq!(place.read(&swapped).as_deref(), Some("other"));
        assert_eq!(places.iter().filter(|place| place.read(&swapped) != place.read(&request)).count(), 1);
    }
}

#[test]
fn whatever_is_not_covered_is_told() {
    let rpcs = served(&made_up());
    let mut covered = Covered::default();
    let exceptions = [
        Exception { place: "MoveBooksRequest.reader_ids", why: Why::NotLookedUp },
        Exception { place: "MoveBooksRequest.shelf_ids", why: Why::Everybodys },
    ];
    let told = [
        "ShelfService/MoveBooks has no fixture at partner",
        "MoveBooksRequest.shelf_id is named by no fixture",
        "MoveBooksRequest.moves.book_id is named by no fixture",
        "MoveBooksRequest.reader_ids is excepted, and no fixture names it",
        "MoveBooksRequest.shelf_ids is excepted and does not exist",
    ];
    assert_eq!(gaps(&rpcs, &covered, &exceptions), told);

    covered.rpcs.insert(("partner".to_owned(), "ShelfService/MoveBooks".to_owned()));
    let places = ["MoveBooksRequest.shelf_id", "MoveBooksRequest.moves.book_id", "MoveBooksRequest.reader_ids"];
    covered.places.extend(places.map(str::to_owned));
    assert_eq!(gaps(&rpcs, &covered, &exceptions[..1]), Vec::<String>::new());
}

fn message(name: &str, message: &impl Message) -> DynamicMessage {
    let pool = DescriptorPool::decode(proto::CONTRACT).unwrap();
    DynamicMessage::decode(pool.get_message_by_name(name).unwrap(), message.encode_to_vec().as_slice()).unwrap()
}

#[test]
fn a_dry_answer_that_tells_too_much_or_too_little_is_noticed() {
    let differences = |dry: &identity::CreateWorkloadResponse, real: &identity::CreateWorkloadResponse| {
        let name = "tandem.identity.v1.CreateWorkloadResponse";
        dry_differences(&message(name, dry), &message(name, real)).len()
    };
    let workload = identity::Workload {
        workload_id: "made".to_owned(),
        display_name: "import".to_owned(),
        roles: vec![identity::Role::AdminAgent.into()],
        create_time: Some(Timestamp { seconds: 7, nanos: 0 }),
        etag: "1".to_owned(),
        ..Default::default()
    };
    let real = identity::CreateWorkloadResponse { workload: Some(workload.clone()), client_secret: "hush".to_owned() };
    let dry = |workload| identity::CreateWorkloadResponse { workload: Some(workload), client_secret: String::new() };
    let tried = identity::Workload {
        workload_id: String::new(),
        etag: String::new(),
        create_time: Some(Timestamp { seconds: 6, nanos: 0 }),
        ..workload
    };
    assert_eq!(differences(&dry(tried.clone()), &real), 0);
    let with_secret = identity::CreateWorkloadResponse { client_secret: "hush".to_owned(), ..dry(tried.clone()) };
    for wrong in [
        dry(identity::Workload { workload_id: "other".to_owned(), ..tried.clone() }),
        dry(identity::Workload { etag: "1".to_owned(), ..tried.clone() }),
        dry(identity::Workload { display_name: "export".to_owned(), ..tried.clone() }),
        dry(identity::Workload { display_name: String::new(), ..tried.clone() }),
        dry(identity::Workload { roles: Vec::new(), ..tried.clone() }),
        dry(identity::Workload { create_time: None, ..tried }),
        identity::CreateWorkloadResponse::default(),
        with_secret,
    ] {
        assert!(differences(&wrong, &real) > 0, "{wrong:?}");
    }
}

#[test]
fn a_dry_answer_about_what_would_go_on_may_miss_the_rest_and_invents_nothing() {
    let differences = |dry: &partner::RemoveCustomerResponse| {
        let real = partner::RemoveCustomerResponse {
            state: partner::remove_customer_response::State::Done.into(),
            customer_id: "c".to_owned(),
            remaining_delegated_admin: true,
        };
        let name = "tandem.partner.v1.RemoveCustomerResponse";
        dry_differences(&message(name, dry), &message(name, &real)).len()
    };
    let state = partner::remove_customer_response::State::InProgress.into();
    let dry = partner::RemoveCustomerResponse { state, ..Default::default() };
    assert_eq!(differences(&dry), 0);
    assert!(differences(&partner::RemoveCustomerResponse { customer_id: "d".to_owned(), ..dry }) > 0);
}
