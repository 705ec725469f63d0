//! Invitations in SQL.

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{AcceptedBy, Invitation, State};
use crate::organization::Organization;

impl Record for Invitation {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("invitation_id")?,
            partner: row.get("partner_id")?,
            provider: row.get("provider_id")?,
            customer: row.get("customer_id")?,
            recipient_email: row.get("recipient_email")?,
            required_domain: row.get("required_domain")?,
            delegated_admin: row.get("delegated_admin")?,
            provider_delegated_admin: row.get("provider_delegated_admin")?,
            state: State::parse(&row.get::<String>("state")?)
                .ok_or_else(|| Fault::internal("an invitation's row holds an unknown state"))?,
            subject: row.get("subject")?,
            body: row.get("body")?,
            rotation: row.get("rotation")?,
            acceptance: row.get("acceptance_id")?,
            is_accepting: row.get("accepting")?,
            accepting_customer: row.get("accepting_customer_id")?,
            expire_time: row.get("expire_time")?,
            accept_time: row.get("accept_time")?,
            accepted_by: accepted_by(row)?,
            version: row.get("version")?,
            create_time: row.get("create_time")?,
        })
    }
}

fn accepted_by(row: &Row) -> Result<Option<AcceptedBy>, Fault> {
    let Some(user) = row.get("accepted_by")? else { return Ok(None) };
    let by: Option<Uuid> = row.get("credential_set_by")?;
    let time: Option<Timestamp> = row.get("credential_set_time")?;
    Ok(Some(AcceptedBy { user, credential_set: by.zip(time) }))
}

/// The invitation as it is. Its parties never change, so nothing has to be held for who sees it.
pub async fn get(tx: &mut Tx, id: Id<Invitation>) -> Result<Option<Invitation>, Fault> {
    tx.sql(
        "SELECT invitation_id, partner_id, provider_id, customer_id, recipient_email, required_domain, delegated_admin,
             provider_delegated_admin, state, subject, body, rotation, acceptance_id, accepting, accepting_customer_id,
             expire_time, accept_time, accepted_by, credential_set_by, credential_set_time, version, create_time
         FROM invitations
         WHERE invitation_id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// The invitation, held for a change.
pub async fn lock(tx: &mut Tx, id: Id<Invitation>) -> Result<Option<Invitation>, Fault> {
    tx.sql(
        "SELECT invitation_id, partner_id, provider_id, customer_id, recipient_email, required_domain, delegated_admin,
             provider_delegated_admin, state, subject, body, rotation, acceptance_id, accepting, accepting_customer_id,
             expire_time, accept_time, accepted_by, credential_set_by, credential_set_time, version, create_time
         FROM invitations
         WHERE invitation_id = $1",
    )
    .bind(id)
    .for_update()
    .optional()
    .await
}

/// Which invitation, and which rotation of it, a link leads to.
pub async fn by_link(tx: &mut Tx, digest: [u8; 32]) -> Result<Option<(Id<Invitation>, i64)>, Fault> {
    tx.sql("SELECT invitation_id, rotation FROM invitation_links WHERE token_digest = $1").bind(digest).optional().await
}

/// How many invitations of the partner are open.
pub async fn count_open(tx: &mut Tx, partner: Id<Organization>, now: Timestamp) -> Result<i64, Fault> {
    tx.sql(
        "SELECT COUNT(*) FROM invitations
         WHERE partner_id = $1 AND state IN ('DRAFT', 'SENT') AND expire_time > $2",
    )
    .bind(partner)
    .bind(now)
    .one()
    .await
}

/// Whether an open joint invitation of somebody who serves the customer binds the provider to it (C30). Anybody may bind
/// an invitation to any id, so that one of somebody who does not serve it tells nothing: not even that it exists.
pub async fn binds(
    tx: &mut Tx,
    provider: Id<Organization>,
    customer: Id<Organization>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let found: Option<Id<Invitation>> = tx
        .sql(
            "SELECT i.invitation_id
             FROM invitations i
             JOIN relationships r ON r.customer_id = i.customer_id AND r.partner_id = i.partner_id
                 AND r.state = 'ACTIVE'
             WHERE i.customer_id = $1 AND i.provider_id = $2 AND i.state IN ('DRAFT', 'SENT') AND i.expire_time > $3
             LIMIT 1",
        )
        .bind(customer)
        .bind(provider)
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Writes a new invitation. `order_key` is its time counted down, so that the newest comes first.
pub async fn insert(tx: &mut Tx, invitation: &Invitation) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO invitations
             (invitation_id, partner_id, provider_id, customer_id, recipient_email, required_domain, delegated_admin,
              provider_delegated_admin, state, subject, body, rotation, accepting, order_key, expire_time, version,
              create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, FALSE, $13, $14, $15, $16, $16)",
    )
    .bind(invitation.id)
    .bind(invitation.partner)
    .bind(invitation.provider)
    .bind(invitation.customer)
    .bind(&invitation.recipient_email)
    .bind(&invitation.required_domain)
    .bind(invitation.delegated_admin)
    .bind(invitation.provider_delegated_admin)
    .bind(invitation.state.as_str())
    .bind(&invitation.subject)
    .bind(&invitation.body)
    .bind(invitation.rotation)
    .bind(order_key(invitation.create_time))
    .bind(invitation.expire_time)
    .bind(invitation.version)
    .bind(invitation.create_time)
    .execute()
    .await
    .map(drop)
}

/// Writes down that a link leads to this rotation of an invitation.
pub async fn insert_link(
    tx: &mut Tx,
    digest: [u8; 32],
    invitation: Id<Invitation>,
    rotation: i64,
) -> Result<(), Fault> {
    tx.sql("INSERT INTO invitation_links (token_digest, invitation_id, rotation) VALUES ($1, $2, $3)")
        .bind(digest)
        .bind(invitation)
        .bind(rotation)
        .execute()
        .await
        .map(drop)
}

/// Replaces the text of a mail.
pub async fn set_text(
    tx: &mut Tx,
    id: Id<Invitation>,
    (subject, body): (&str, &str),
    now: Timestamp,
) -> Result<(), Fault> {
    tx.sql(
        "UPDATE invitations SET subject = $2, body = $3, update_time = $4, version = version + 1
         WHERE invitation_id = $1",
    )
    .bind(id)
    .bind(subject)
    .bind(body)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Moves an invitation that is held to another state.
pub async fn set_state(tx: &mut Tx, id: Id<Invitation>, state: State, now: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE invitations SET state = $2, update_time = $3, version = version + 1 WHERE invitation_id = $1")
        .bind(id)
        .bind(state.as_str())
        .bind(now)
        .execute()
        .await
        .map(drop)
}

/// Gives an invitation that is held a new version, because what is told of it has changed.
pub async fn touch(tx: &mut Tx, id: Id<Invitation>, now: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE invitations SET update_time = $2, version = version + 1 WHERE invitation_id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await
        .map(drop)
}

/// Makes the next rotation of an invitation that is held the present one.
pub async fn rotate(
    tx: &mut Tx,
    id: Id<Invitation>,
    rotation: i64,
    expire_time: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    tx.sql(
        "UPDATE invitations SET rotation = $2, expire_time = $3, update_time = $4, version = version + 1
         WHERE invitation_id = $1",
    )
    .bind(id)
    .bind(rotation)
    .bind(expire_time)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// An acceptance of an invitation that is held begins.
pub async fn begin_acceptance(
    tx: &mut Tx,
    id: Id<Invitation>,
    acceptance: Uuid,
    customer: Id<Organization>,
    now: Timestamp,
) -> Result<(), Fault> {
    tx.sql(
        "UPDATE invitations
         SET acceptance_id = $2, accepting = TRUE, accepting_customer_id = $3, update_time = $4, version = version + 1
         WHERE invitation_id = $1",
    )
    .bind(id)
    .bind(acceptance)
    .bind(customer)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// The acceptance was decided. False when it is not the one that runs, or the invitation is not open any more.
pub async fn accept(
    tx: &mut Tx,
    id: Id<Invitation>,
    acceptance: Uuid,
    by: AcceptedBy,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "UPDATE invitations
             SET state = 'ACCEPTED', accepting = FALSE, accept_time = $3, accepted_by = $4, credential_set_by = $5,
                 credential_set_time = $6, update_time = $3, version = version + 1
             WHERE invitation_id = $1 AND acceptance_id = $2 AND accepting AND state IN ('DRAFT', 'SENT')",
        )
        .bind(id)
        .bind(acceptance)
        .bind(now)
        .bind(by.user)
        .bind(by.credential_set.map(|(by, _)| by))
        .bind(by.credential_set.map(|(_, time)| time))
        .execute()
        .await?;
    Ok(changed == 1)
}

/// The acceptance was refused: the invitation is as it was.
pub async fn end_acceptance(tx: &mut Tx, id: Id<Invitation>, acceptance: Uuid, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "UPDATE invitations SET accepting = FALSE, update_time = $3, version = version + 1
         WHERE invitation_id = $1 AND acceptance_id = $2",
    )
    .bind(id)
    .bind(acceptance)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// The open invitations of this partner that are bound to the customer, held in the order of their ids.
pub async fn lock_bound(
    tx: &mut Tx,
    partner: Id<Organization>,
    customer: Id<Organization>,
    now: Timestamp,
) -> Result<Vec<(Id<Invitation>, String)>, Fault> {
    tx.sql(
        "SELECT invitation_id, state FROM invitations
         WHERE customer_id = $1 AND partner_id = $2 AND state IN ('DRAFT', 'SENT') AND (expire_time > $3 OR accepting)
         ORDER BY invitation_id",
    )
    .bind(customer)
    .bind(partner)
    .bind(now)
    .for_update()
    .all()
    .await
}

/// The open joint invitations of a provider and a reseller, held in the order of their ids.
pub async fn lock_joint(
    tx: &mut Tx,
    provider: Id<Organization>,
    reseller: Id<Organization>,
    now: Timestamp,
) -> Result<Vec<(Id<Invitation>, String)>, Fault> {
    tx.sql(
        "SELECT invitation_id, state FROM invitations
         WHERE partner_id = $1 AND provider_id = $2 AND state IN ('DRAFT', 'SENT') AND (expire_time > $3 OR accepting)
         ORDER BY invitation_id",
    )
    .bind(reseller)
    .bind(provider)
    .bind(now)
    .for_update()
    .all()
    .await
}

/// An invitation with the names of its parties; the provider's is empty when there is none.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The invitation.
    pub invitation: Invitation,
    /// The legal name of the partner that invites.
    pub partner_name: String,
    /// The provider's.
    pub provider_name: String,
}

impl Record for Entry {
    fn read(row: &Row) -> Result<Self, Fault> {
        let provider_name: Option<String> = row.get("provider_name")?;
        Ok(Self {
            invitation: Invitation::read(row)?,
            partner_name: row.get("partner_name")?,
            provider_name: provider_name.unwrap_or_default(),
        })
    }
}

/// One page of the partner's invitations and those that name it as provider, the newest first.
pub async fn list(tx: &mut Tx, partner: Id<Organization>, seek: &Seek, limit: usize) -> Result<Page<Entry>, Fault> {
    let rows: Vec<Entry> = tx
        .sql(
            "SELECT i.invitation_id, i.partner_id, i.provider_id, i.customer_id, i.recipient_email, i.required_domain,
                 i.delegated_admin, i.provider_delegated_admin, i.state, i.subject, i.body, i.rotation,
                 i.acceptance_id, i.accepting, i.accepting_customer_id, i.expire_time, i.accept_time, i.accepted_by,
                 i.credential_set_by, i.credential_set_time, i.version, i.create_time, p.name AS partner_name, o.name AS provider_name
             FROM invitations i
             JOIN organizations p ON p.organization_id = i.partner_id
             LEFT JOIN organizations o ON o.organization_id = i.provider_id
             WHERE (i.partner_id = $1 OR i.provider_id = $1)",
        )
        .bind(partner)
        .page(seek, limit, "i.order_key", "i.invitation_id")
        .all()
        .await?;
    let position = |row: &Entry| Keyset { key: order_key(row.invitation.create_time), id: row.invitation.id.uuid() };
    Ok(Page::cut(rows, limit, seek, position))
}

fn order_key(time: Timestamp) -> String {
    format!("{:019}", i64::MAX - time.micros())
}
