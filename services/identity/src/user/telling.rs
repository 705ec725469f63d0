//! What the services that assign licenses are told of a customer's users.

use proto::identity::v1 as pb;
use proto::identity::v1::identity_fact::Fact;
use service::Cx;

use super::{State, User};
use crate::{Identity, clients};

/// A customer's user as they are now.
pub(crate) fn fact(user: &User) -> pb::UserFact {
    let state = match user.state {
        State::Active => pb::user_fact::State::Active,
        State::Deleted => pb::user_fact::State::Deleted,
    };
    pb::UserFact {
        user_id: user.id.to_string(),
        customer_id: user.organization.to_string(),
        display_name: user.display_name.clone(),
        sign_in_name: user.sign_in_name.clone(),
        sort_key: user.sort_key(),
        usage_location: user.usage_location.map(|country| country.to_string()).unwrap_or_default(),
        state: state.into(),
    }
}

/// Tells them, after the commit. To be called whenever something changes that the fact holds.
pub(crate) fn tell(cx: &mut Cx<Identity>, user: &User) {
    let told = pb::IdentityFact { version: user.version, fact: Some(Fact::User(fact(user))) };
    cx.tell(clients::LICENSING, user.id.uuid(), user.version, &told);
}
