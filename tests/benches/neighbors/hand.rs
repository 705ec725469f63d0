//! The same by hand: the statements of a call that changes one license, in one transaction, and nothing else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::Clock;
use db::Tx;
use uuid::Uuid;

use crate::stage::{Place, Stage};

impl Stage {
    /// Gives the license or takes it, as [`Stage::call`] does.
    pub(crate) async fn hand(&self, place: &Place, user: usize) {
        let give = !place.held[user].fetch_xor(true, Ordering::Relaxed);
        let (user, request) = (place.users[user], Uuid::now_v7());
        let mut tx = self.db.write().await.expect("the database answers");
        self.admit(&mut tx, place.customer, request).await;
        self.judge(&mut tx, place.customer, user, give).await;
        self.write(&mut tx, place.customer, user, give).await;
        self.keep(&mut tx, place.customer, user, request).await;
        tx.commit().await.expect("a commit");
    }

    async fn due(&self, tx: &mut Tx, customer: Uuid) {
        let due = tx
            .sql(
                "SELECT subscription_id FROM subscriptions WHERE customer_id = $1 AND due_time <= $2 ORDER BY due_time",
            )
            .bind(customer)
            .bind(Clock::new().now());
        assert!(due.all::<Uuid>().await.expect("subscriptions can be read").is_empty());
    }

    /// Who calls, which request it is, and what they may do at the customer.
    async fn admit(&self, tx: &mut Tx, customer: Uuid, request: Uuid) {
        tx.sql("INSERT INTO principal_floors (principal_id, auth_version) VALUES ($1, 0) ON CONFLICT DO NOTHING")
            .bind(self.admin)
            .execute()
            .await
            .expect("there is a floor");
        let floor = tx.sql("SELECT auth_version FROM principal_floors WHERE principal_id = $1").bind(self.admin);
        let _: i64 = floor.for_share().one().await.expect("a floor");
        tx.lock_timeout(Duration::from_secs(1)).await.expect("a timeout");
        let claimed = tx
            .sql(
                "INSERT INTO replays (principal_key, method, request_id, digest, sealed, create_time)
                 VALUES ($1, $2, $3, $4, FALSE, $5) ON CONFLICT DO NOTHING",
            )
            .bind(self.admin.as_bytes().to_vec())
            .bind("UpdateLicenses")
            .bind(request)
            .bind(vec![0_u8; 32])
            .bind(Clock::new().now())
            .execute();
        assert_eq!(claimed.await.expect("a request is claimed"), 1);
        tx.lock_timeout(db::LOCK_TIMEOUT).await.expect("a timeout");
        let access = tx
            .sql(
                "SELECT customer_id, partner_id, kind, active, delegated_admin, order_right, epoch FROM accesses
                 WHERE customer_id = $1 AND partner_id = $2",
            )
            .bind(customer)
            .bind(self.partner);
        let _: Uuid = access.for_share().one().await.expect("an access");
        self.due(tx, customer).await;
    }

    /// The rules, the pool, and who holds what.
    async fn judge(&self, tx: &mut Tx, customer: Uuid, user: Uuid, give: bool) {
        let held = tx.sql("SELECT customer_id FROM customers WHERE customer_id = $1").bind(customer).for_update();
        if held.optional::<Uuid>().await.expect("customers can be read").is_none() {
            tx.sql("INSERT INTO customers (customer_id) VALUES ($1) ON CONFLICT (customer_id) DO NOTHING")
                .bind(customer)
                .execute()
                .await
                .expect("a customer's row");
        }
        let pool = tx
            .sql(
                "SELECT seats - consumed, product_id, suspended FROM pools
                 WHERE customer_id = $1 AND seats > 0
                 ORDER BY product_id",
            )
            .bind(customer);
        assert!(pool.for_update().one::<i64>().await.expect("a pool") > 0);
        self.rules(tx).await;
        self.plan_rules(tx).await;
        // Whether they are still the same.
        self.rules(tx).await;
        let held = tx
            .sql(
                "SELECT product_id, excluded_plans, array_agg(user_id) AS user_ids FROM assignments
                 WHERE customer_id = $1 AND user_id = ANY($2)
                 GROUP BY product_id, excluded_plans",
            )
            .bind(customer)
            .bind([user].as_slice())
            .all::<Uuid>();
        assert_eq!(held.await.expect("licenses can be read").is_empty(), give);
        if !give {
            return;
        }
        let known = tx
            .sql(
                "SELECT state = 'DELETED' AS deleted, usage_location, array_agg(user_id) AS user_ids FROM users
                 WHERE customer_id = $1 AND user_id = ANY($2)
                 GROUP BY state, usage_location",
            )
            .bind(customer)
            .bind([user].as_slice())
            .one::<bool>();
        assert!(!known.await.expect("a user"));
    }

    async fn rules(&self, tx: &mut Tx) {
        let rules = tx
            .sql(
                "SELECT product_id, target_type, license_group, assignment_authority, allowed_locations,
                     prohibited_locations, version, update_time
                 FROM product_rules WHERE product_id = ANY($1)",
            )
            .bind([self.product].as_slice());
        assert!(rules.all::<Uuid>().await.expect("rules can be read").is_empty());
    }

    async fn plan_rules(&self, tx: &mut Tx) {
        let rules = tx
            .sql(
                "SELECT product_id, position, kind, plan_id, other_plan_id FROM plan_rules
                 WHERE (product_id, position) IN (
                     SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.plan_id
                     WHERE p.product_id = ANY($1)
                     UNION
                     SELECT r.product_id, r.position FROM plan_rules r
                     JOIN product_plans p ON p.plan_id = r.other_plan_id
                     WHERE p.product_id = ANY($1))",
            )
            .bind([self.product].as_slice());
        assert!(rules.all::<Uuid>().await.expect("rules can be read").is_empty());
    }

    async fn write(&self, tx: &mut Tx, customer: Uuid, user: Uuid, give: bool) {
        let text = if give {
            "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
             SELECT $1::uuid, $2::uuid, user_id, '', CURRENT_TIMESTAMP FROM unnest($3::uuid[]) AS user_id"
        } else {
            "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)"
        };
        let written = tx.sql(text).bind(customer).bind(self.product).bind([user].as_slice()).execute();
        assert_eq!(written.await.expect("a license is written"), 1);
        tx.sql("UPDATE pools SET consumed = consumed + $3 WHERE customer_id = $1 AND product_id = $2")
            .bind(customer)
            .bind(self.product)
            .bind(if give { 1_i64 } else { -1 })
            .execute()
            .await
            .expect("the counter moves");
    }

    /// The entry of the journal and the reply.
    async fn keep(&self, tx: &mut Tx, customer: Uuid, user: Uuid, request: Uuid) {
        let entry = format!(
            r#"[{{"entry_id":"{}","organization_id":"{}","customer_id":"{}","action":"LicensesUpdated",
                "action_key":"licensesupdated","target_kind":"user","target_id":"{}","changes":"[]"}}]"#,
            Uuid::now_v7().simple(),
            self.partner.simple(),
            customer.simple(),
            user.simple()
        );
        tx.sql(
            "INSERT INTO journal (entry_id, order_key, create_time, actor_id, actor_kind, on_behalf_of_id, organization_id,
                 customer_id, action, action_key, target_kind, target_id, changes, request_hash, outcome, reason)
             SELECT entry_id, $2::text, CURRENT_TIMESTAMP, $3::uuid, 'user', NULL, organization_id,
                 customer_id, action, action_key, target_kind, target_id, changes, $4::bytea, 'SUCCEEDED', ''
             FROM json_to_recordset($1::text::json) AS entry (entry_id uuid, organization_id uuid, customer_id uuid,
                 action text, action_key text, target_kind text, target_id uuid, changes text)",
        )
        .bind(entry)
        .bind(request.to_string())
        .bind(self.admin)
        .bind(vec![0_u8; 32])
        .execute()
        .await
        .expect("an entry is written");
        let saved = tx
            .sql("UPDATE replays SET reply = $3 WHERE principal_key = $1 AND method = 'UpdateLicenses' AND request_id = $2")
            .bind(self.admin.as_bytes().to_vec())
            .bind(request)
            .bind(vec![0_u8; 120])
            .execute();
        assert_eq!(saved.await.expect("a reply is kept"), 1);
    }
}
