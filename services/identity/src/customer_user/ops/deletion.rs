//! A customer's user is deleted: identity alone decides, and licensing frees the seats, forward only.

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::{Cx, Fact, Operation, Progress};
use uuid::Uuid;

use crate::customer_user::Released;
use crate::customer_user::store::{self, Deletion};
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::user::change::{changed, changed_meanwhile, keep_a_global_admin, to_change};
use crate::user::{self, State, User, words};
use crate::{Identity, clients, session};

/// Deletes a user of a customer.
#[derive(Debug)]
pub struct DeleteUser {
    pub(in crate::customer_user) customer: Id<Organization>,
    pub(in crate::customer_user) id: Id<User>,
    pub(in crate::customer_user) version: Option<i64>,
}

/// How far it has come.
#[derive(Debug)]
pub struct Deleted {
    pub(in crate::customer_user) user: User,
    pub(in crate::customer_user) deletion: Deletion,
    /// Licensing knows: the seats are free, and nobody gives the user a license any more.
    pub(in crate::customer_user) seats_are_free: bool,
}

impl Operation for DeleteUser {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.CustomerUserService/DeleteUser";
    const PERMISSION: Permission = Permission::ManageCustomerUsers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::CustomerUser { customer: self.customer, id: self.id }
    }

    /// The only moment at which anything becomes visible: what follows goes forward only.
    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Deleted, Fault> {
        let user = to_change(cx, self.id, self.version).await?;
        keep_a_global_admin(cx, &user, &BTreeSet::new()).await?;
        let now = cx.now();
        if !user::store::delete(&mut cx.tx, &user, now).await? {
            return Err(changed_meanwhile());
        }
        session::store::end_all(&mut cx.tx, user.id).await?;
        user::forget_secret(cx, user.id).await?;
        let id = user.id.uuid();
        let deleted = changed(cx, self.id).await?;
        let deletion = Deletion { id: cx.new_id(), user: user.id, user_version: deleted.version, delete_time: now };
        store::insert_deletion(&mut cx.tx, &deletion).await?;
        cx.deliver_as(deletion.id.uuid());
        user::tell(cx, &deleted);
        session::tell_floor(cx, id, deleted.auth_version).await?;
        cx.continue_with(deletion.id.uuid());
        cx.record(
            Fact::new("UserDeleted")
                .about("user", id)
                .customer(user.organization.uuid())
                .change("roles", words(&user.roles), "")
                .change("state", State::Active.as_str(), State::Deleted.as_str()),
        );
        Ok(Deleted { user: deleted, deletion, seats_are_free: false })
    }

    async fn resume(&self, cx: &mut Cx<Identity>, id: Uuid) -> Result<Progress<Deleted>, Fault> {
        let missing = || Fault::internal("a deletion that was answered has no row");
        let deletion = store::deletion(&mut cx.tx, Id::from_uuid(id)).await?.ok_or_else(missing)?;
        let user = changed(cx, deletion.user).await?;
        let seats_are_free = cx.is_delivered_to(id, clients::LICENSING).await?;
        let is_over = cx.is_delivered(id).await?;
        Ok(Progress::of(is_over, Deleted { user, deletion, seats_are_free }))
    }
}

/// Takes over facts of licensing.
#[derive(Debug)]
pub struct ApplyLicensingFacts(pub(in crate::customer_user) Vec<Released>);

impl Operation for ApplyLicensingFacts {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.IdentityInternalService/ApplyLicensingFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        for released in &self.0 {
            store::put_released(&mut cx.tx, released).await?;
        }
        Ok(())
    }
}
