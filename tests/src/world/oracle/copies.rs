//! What a service holds of another one's rows is what their owner says: partners, partnerships, users, namings, floors.

use std::collections::BTreeSet;
use std::fmt::Debug;

use base::Timestamp;
use uuid::Uuid;

use super::{Oracle, rows};

/// What one side has and the other has not.
fn differing<T: Debug + Ord>(what: &str, owned: &BTreeSet<T>, held: &BTreeSet<T>) -> Vec<String> {
    let missing = owned.difference(held).map(|row| format!("{what}: {row:?} is not held"));
    missing.chain(held.difference(owned).map(|row| format!("{what}: {row:?} is not its owner's"))).collect()
}

impl Oracle {
    pub(super) async fn judge_copies(&self) -> Vec<String> {
        let mut wrong = self.judge_partners().await;
        wrong.extend(self.judge_partnerships().await);
        wrong.extend(self.judge_users().await);
        wrong.extend(self.judge_namings().await);
        wrong.extend(self.judge_floors().await);
        wrong
    }

    /// What partners are.
    async fn judge_partners(&self) -> Vec<String> {
        let own: BTreeSet<(Uuid, String, i64)> =
            rows(&self.partner, "SELECT partner_id, kind || ' ' || state, version FROM accounts").await.collect();
        let at_identity =
            rows(&self.identity, "SELECT partner_id, kind || ' ' || state, version FROM partner_standings").await;
        let at_licensing =
            rows(&self.licensing, "SELECT partner_id, kind || ' ' || state, version FROM partners").await;
        let mut wrong = differing("partners at identity", &own, &at_identity.collect());
        wrong.extend(differing("partners at licensing", &own, &at_licensing.collect()));
        let mpn_ids: BTreeSet<(Uuid, String)> =
            rows(&self.partner, "SELECT partner_id, mpn_id FROM accounts").await.collect();
        let held = rows(&self.licensing, "SELECT partner_id, mpn_id FROM partners").await;
        wrong.extend(differing("MPN ids at licensing", &mpn_ids, &held.collect()));
        wrong
    }

    /// How providers and resellers stand to each other. A pair that parted and met again has several rows at partner.
    async fn judge_partnerships(&self) -> Vec<String> {
        let own: BTreeSet<(Uuid, Uuid, bool, bool)> = rows(
            &self.partner,
            "SELECT provider_id, reseller_id, MAX(CASE WHEN state = 'ACTIVE' THEN 1 ELSE 0 END) = 1,
                 MAX(CASE WHEN state = 'ACTIVE' AND provider_admin_access THEN 1 ELSE 0 END) = 1
             FROM partnerships WHERE state IN ('ACTIVE', 'REMOVED') GROUP BY provider_id, reseller_id",
        )
        .await
        .collect();
        let at_identity = rows(
            &self.identity,
            "SELECT provider_id, reseller_id, active, provider_admin_access FROM partnership_standings",
        );
        let mut wrong = differing("partnerships at identity", &own, &at_identity.await.collect());
        let own: BTreeSet<(Uuid, Uuid, bool)> =
            own.into_iter().map(|(provider, reseller, active, _)| (provider, reseller, active)).collect();
        let at_licensing = rows(&self.licensing, "SELECT provider_id, reseller_id, active FROM partnerships").await;
        wrong.extend(differing("partnerships at licensing", &own, &at_licensing.collect()));
        wrong
    }

    /// The users of customers, as far as licenses need them.
    async fn judge_users(&self) -> Vec<String> {
        let own: BTreeSet<(Uuid, Uuid, String)> = rows(
            &self.identity,
            "SELECT user_id, organization_id, users.state || ' ' || COALESCE(usage_location, '') || ' ' || sign_in_name
                 || ' ' || sort_key || ' ' || display_name
             FROM users JOIN organizations USING (organization_id) WHERE kind = 'CUSTOMER'",
        )
        .await
        .collect();
        let held = rows(
            &self.licensing,
            "SELECT user_id, customer_id, state || ' ' || usage_location || ' ' || sign_in_name
                 || ' ' || sort_key || ' ' || display_name
             FROM users",
        );
        differing("users at licensing", &own, &held.await.collect())
    }

    /// Which providers are named by open invitations of somebody who serves the customer.
    async fn judge_namings(&self) -> Vec<String> {
        // Time alone closes an invitation without a word: licensing knows when.
        let now: Option<Timestamp> = rows(&self.partner, "SELECT MAX(create_time) FROM journal").await.next().flatten();
        let open = |(invitation, customer, provider, expires): (Uuid, Uuid, Uuid, Timestamp)| {
            (now.is_none_or(|now| now < expires)).then_some((invitation, customer, provider))
        };
        let own = rows(
            &self.partner,
            "SELECT invitation_id, i.customer_id, provider_id, expire_time
             FROM invitations i
                 JOIN relationships r ON r.customer_id = i.customer_id AND r.partner_id = i.partner_id
             WHERE i.state IN ('DRAFT', 'SENT') AND provider_id IS NOT NULL AND r.state = 'ACTIVE'",
        );
        let held = rows(
            &self.licensing,
            "SELECT invitation_id, customer_id, provider_id, expire_time FROM namings WHERE open",
        );
        let own = own.await.filter_map(open).collect();
        differing("namings at licensing", &own, &held.await.filter_map(open).collect())
    }

    /// Below which versions tokens are refused.
    async fn judge_floors(&self) -> Vec<String> {
        let text = "SELECT principal_id, auth_version FROM principal_floors WHERE auth_version > 0";
        let own: BTreeSet<(Uuid, i64)> = rows(&self.identity, text).await.collect();
        let mut wrong = differing("floors at licensing", &own, &rows(&self.licensing, text).await.collect());
        wrong.extend(differing("floors at partner", &own, &rows(&self.partner, text).await.collect()));
        wrong
    }
}
