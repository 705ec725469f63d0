//! Customer users on the wire.

use base::Fault;
use proto::identity::v1 as pb;
use service::{Form, Wire};

use super::ops::LookUpUsers;
use crate::user::{self, User};

/// Users in one look-up at most.
const LOOK_UP_MAX: usize = 10_000;

impl Wire for LookUpUsers {
    type Request = pb::LookUpUsersRequest;
    type Response = pb::LookUpUsersResponse;
    type Reply = Vec<User>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        if request.user_ids.len() > LOOK_UP_MAX {
            let message = format!("has {} items; {LOOK_UP_MAX} are accepted", request.user_ids.len());
            form.wrong("user_ids", "TOO_LONG", message);
        }
        let mut users = Vec::with_capacity(request.user_ids.len());
        for (position, id) in request.user_ids.iter().enumerate() {
            users.extend(form.id(format!("user_ids[{position}]"), id));
        }
        form.finish(|| Some(Self { customer: customer?, users }))
    }

    fn present(users: Vec<User>) -> Self::Response {
        let versioned = |user: &User| pb::VersionedUser { version: user.version, user: Some(user::fact(user)) };
        pb::LookUpUsersResponse { users: users.iter().map(versioned).collect() }
    }
}
