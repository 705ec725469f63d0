//! What can be asked of customer users.

use base::{Fault, Id};
use service::{Cx, Operation};

use crate::Identity;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::user::{self, User};

/// Shows users whose facts have not arrived yet to the service that is told of them.
#[derive(Debug)]
pub struct LookUpUsers {
    pub(super) customer: Id<Organization>,
    pub(super) users: Vec<Id<User>>,
}

impl Operation for LookUpUsers {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/LookUpUsers";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Vec<User>, Fault> {
        user::store::of_customer(&mut cx.tx, self.customer, &self.users).await
    }
}
