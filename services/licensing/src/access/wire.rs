//! Intents on the wire.

use base::Fault;
use proto::licensing::v1 as pb;
use proto::partner::v1::AccessIntent;
use saga::intent::Intent;
use service::{Form, Wire};
use uuid::Uuid;

use super::ops::{CancelAccess, CheckAccess, PrepareAccess};

impl Wire for PrepareAccess {
    type Request = pb::PrepareAccessRequest;
    type Response = pb::PrepareAccessResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (decision, intents) = parse(&request.decision_id, &request.intents)?;
        Ok(Self { decision, intents })
    }

    fn present((): ()) -> Self::Response {
        pb::PrepareAccessResponse {}
    }
}

impl Wire for CancelAccess {
    type Request = pb::CancelAccessRequest;
    type Response = pb::CancelAccessResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let (decision, intents) = parse(&request.decision_id, &request.intents)?;
        Ok(Self { decision, intents })
    }

    fn present((): ()) -> Self::Response {
        pb::CancelAccessResponse {}
    }
}

impl Wire for CheckAccess {
    type Request = pb::CheckAccessRequest;
    type Response = pb::CheckAccessResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let intents = read(&mut form, &request.intents);
        form.finish(|| Some(Self(intents)))
    }

    fn present((): ()) -> Self::Response {
        pb::CheckAccessResponse {}
    }
}

fn parse(decision: &str, intents: &[AccessIntent]) -> Result<(Uuid, Vec<Intent>), Fault> {
    let mut form = Form::default();
    let decision = form.id::<()>("decision_id", decision);
    let intents = read(&mut form, intents);
    form.finish(|| Some((decision?.uuid(), intents)))
}

fn read(form: &mut Form, intents: &[AccessIntent]) -> Vec<Intent> {
    let mut parsed = Vec::with_capacity(intents.len());
    for (at, intent) in intents.iter().enumerate() {
        let customer = form.id::<()>(format!("intents[{at}].customer_id"), &intent.customer_id);
        let partner = form.id::<()>(format!("intents[{at}].partner_id"), &intent.partner_id);
        if let (Some(customer), Some(partner)) = (customer, partner) {
            parsed.push(Intent { about: (customer.uuid(), partner.uuid()), epoch: intent.epoch });
        }
    }
    // Rows are taken in the order of their ids, whoever asks.
    parsed.sort_by_key(|intent| intent.about);
    parsed
}
