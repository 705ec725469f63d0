//! Taking over what was told, and asking for what was not.

use std::collections::{BTreeMap, BTreeSet};

use base::Fault;
use saga::intent::{self, Intent};
use service::{Cx, Operation, Preparation, Work, floor};

use super::{Told, Unresolved};
use crate::access::Access;
use crate::license::release::take_over_deletion;
use crate::policy::{Permission, Target};
use crate::purchase_permission::{self, PurchasePermission};
use crate::subscription::sweep;
use crate::user::State;
use crate::{Licensing, access, clients, organization, partner, user};

/// Takes over facts of identity.
#[derive(Debug)]
pub struct ApplyIdentityFacts(pub(super) Vec<Told>);

impl Operation for ApplyIdentityFacts {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicensingInternalService/ApplyIdentityFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(), Fault> {
        take_over(cx, &self.0).await
    }
}

/// Takes over facts of partner.
#[derive(Debug)]
pub struct ApplyPartnerFacts(pub(super) Vec<Told>);

impl Operation for ApplyPartnerFacts {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.LicensingInternalService/ApplyPartnerFacts";
    const PERMISSION: Permission = Permission::Peer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(), Fault> {
        take_over(cx, &self.0).await
    }
}

/// Takes over what another service answered, as if it had told it by itself.
struct Learn(Vec<Told>);

impl Work for Learn {
    type Service = Licensing;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Licensing>) -> Result<(), Fault> {
        take_over(cx, &self.0).await
    }
}

/// Takes everything over in one order, whatever that of the message is, so that two of them do not wait for each other.
async fn take_over(cx: &mut Cx<Licensing>, told: &[Told]) -> Result<(), Fault> {
    let now = cx.now();
    let mut told: Vec<&Told> = told.iter().collect();
    told.sort_by_key(|told| told.place());
    // Who takes over a deletion holds the customer before any of its users.
    let deleted = told.iter().filter_map(|told| match told {
        Told::User(user) if user.state == State::Deleted => Some(user.customer),
        _ => None,
    });
    for customer in deleted.collect::<BTreeSet<_>>() {
        organization::store::hold_customer(&mut cx.tx, customer).await?;
    }
    for told in told {
        let tx = &mut cx.tx;
        match told {
            Told::Floor { principal, auth_version } => floor::raise(tx, *principal, *auth_version).await?,
            Told::Organization(organization) => organization::store::put(tx, organization).await?,
            Told::User(user) if user.state == State::Deleted => take_over_deletion(cx, user).await?,
            Told::User(user) => drop(user::store::put(tx, user).await?),
            Told::Access { access, decision } => {
                access::store::put(tx, access).await?;
                if !access.active {
                    end_permissions(cx, access).await?;
                }
                if let Some(decision) = decision {
                    let intent = Intent { about: access.about(), epoch: access.epoch };
                    intent::settle(&mut cx.tx, *decision, &[intent], now).await?;
                }
            }
            Told::Naming(naming) => access::store::put_naming(tx, naming).await?,
            Told::Standing(standing) => partner::store::put_standing(tx, standing).await?,
            Told::Partnership(partnership) => partner::store::put_partnership(tx, partnership).await?,
            Told::Abandoned(decision) => intent::cancel(tx, *decision, &[], now).await?,
        }
    }
    Ok(())
}

/// What a partner let its customer buy ends with their relationship, and does not come back with it (C26), also when its
/// return is told first.
async fn end_permissions(cx: &mut Cx<Licensing>, access: &Access) -> Result<(), Fault> {
    let (customer, partner, now) = (access.customer, access.partner, cx.now());
    for product_family in purchase_permission::store::end(&mut cx.tx, access, now).await? {
        let ended = PurchasePermission { customer, partner, product_family, permitted: false, update_time: Some(now) };
        cx.record(purchase_permission::ops::turned(&ended).organization(partner.uuid()));
    }
    Ok(())
}

/// Asks for what attempts hang on, and writes down what was answered, and what is due.
///
/// # Errors
/// `PEER_UNAVAILABLE`: without an answer nothing is granted and nobody is called unknown. `CONTENTION`.
pub(crate) async fn resolve(
    preparation: &Preparation<'_, Licensing>,
    unresolved: Vec<Unresolved>,
) -> Result<(), Fault> {
    let Licensing { identity, partner } = &preparation.host.service;
    let (mut learned, mut users) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    for unresolved in unresolved {
        let left = preparation.left();
        learned.extend(match unresolved {
            Unresolved::Decision(id) => clients::decision(partner, id, left).await?,
            Unresolved::Organization(id) => clients::organization(identity, id, left).await?.into_iter().collect(),
            Unresolved::User { customer, id } => {
                users.entry(customer).or_default().push(id);
                Vec::new()
            }
            Unresolved::Due(customer) => {
                sweep::settle(preparation, customer).await?;
                Vec::new()
            }
        });
    }
    for (customer, ids) in users {
        for some in ids.chunks(clients::LOOKED_UP_TOGETHER) {
            learned.extend(clients::users(identity, customer, some, preparation.left()).await?);
        }
    }
    if learned.is_empty() {
        return Ok(());
    }
    preparation.host.transact(&Learn(learned)).await
}
