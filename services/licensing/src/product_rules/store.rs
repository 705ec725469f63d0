//! Product rules in SQL.

use std::collections::{BTreeMap, BTreeSet};

use base::country::Country;
use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{Authority, Dependency, Exclusion, LicenseGroup, PlanRules, Rules, TargetType, Versioned};
use crate::product::Product;

/// A product's own rules, without those between plans.
struct Head(Id<Product>, Versioned);

impl Record for Head {
    fn read(row: &Row) -> Result<Self, Fault> {
        let unknown = || Fault::internal("a product's rules hold an unknown word");
        let rules = Rules {
            target_type: TargetType::parse(&row.get::<String>("target_type")?).ok_or_else(unknown)?,
            group: LicenseGroup::parse(&row.get::<String>("license_group")?).ok_or_else(unknown)?,
            authority: Authority::parse(&row.get::<String>("assignment_authority")?).ok_or_else(unknown)?,
            allowed: countries(&row.get::<String>("allowed_locations")?)?,
            prohibited: countries(&row.get::<String>("prohibited_locations")?)?,
            ..Rules::default()
        };
        let (version, update_time) = (row.get("version")?, Some(row.get("update_time")?));
        Ok(Self(row.get("product_id")?, Versioned { rules, version, update_time }))
    }
}

fn countries(text: &str) -> Result<BTreeSet<Country>, Fault> {
    let read = |code| Country::parse(code).map_err(|_| Fault::internal("a product's rules hold an unknown country"));
    text.split_whitespace().map(read).collect()
}

/// A rule between two plans.
struct PlanRow {
    product: Id<Product>,
    position: i64,
    kind: String,
    plan: Uuid,
    other: Uuid,
}

impl Record for PlanRow {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            product: row.get("product_id")?,
            position: row.get("position")?,
            kind: row.get("kind")?,
            plan: row.get("plan_id")?,
            other: row.get("other_plan_id")?,
        })
    }
}

/// The rules that rows are: those of one position are one rule.
fn gather(rows: Vec<PlanRow>) -> PlanRules {
    let mut rules = PlanRules::default();
    let mut dependencies: BTreeMap<(Id<Product>, i64), Dependency> = BTreeMap::new();
    for PlanRow { product, position, kind, plan, other } in rows {
        if kind == EXCLUDES {
            rules.exclusions.insert(Exclusion { plan, other });
        } else {
            let rule = dependencies.entry((product, position));
            rule.or_insert_with(|| Dependency { plan, any_of: BTreeSet::new() }).any_of.insert(other);
        }
    }
    rules.dependencies = dependencies.into_values().collect();
    rules
}

const NEEDS: &str = "NEEDS";
const EXCLUDES: &str = "EXCLUDES";

/// The rules of a product; those of one of which nothing was said when there are none.
pub async fn get(tx: &mut Tx, product: Id<Product>) -> Result<Versioned, Fault> {
    let head = heads(tx, &[product]).await?.remove(&product);
    let Some(mut found) = head else { return Ok(Versioned::default()) };
    let rows = tx
        .sql(
            "SELECT product_id, position, kind, plan_id, other_plan_id FROM plan_rules
             WHERE product_id = $1
             ORDER BY position, other_plan_id",
        )
        .bind(product)
        .all()
        .await?;
    let PlanRules { dependencies, exclusions } = gather(rows);
    found.rules = Rules { dependencies, exclusions, ..found.rules };
    Ok(found)
}

/// What was said of these products, without the rules between plans.
pub async fn heads(tx: &mut Tx, products: &[Id<Product>]) -> Result<BTreeMap<Id<Product>, Versioned>, Fault> {
    let heads: Vec<Head> = tx
        .sql_for(
            "SELECT product_id, target_type, license_group, assignment_authority, allowed_locations,
                 prohibited_locations, version, update_time
             FROM product_rules
             WHERE product_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT product_id, target_type, license_group, assignment_authority, allowed_locations,
                 prohibited_locations, version, update_time
             FROM product_rules
             WHERE product_id = ANY($1)",
        )
        .bind(products)
        .all()
        .await?;
    Ok(heads.into_iter().map(|Head(product, versioned)| (product, versioned)).collect())
}

/// Every rule that is about a plan of these products, whoever set it.
pub async fn touching(tx: &mut Tx, products: &[Id<Product>]) -> Result<PlanRules, Fault> {
    let rows = tx
        .sql_for(
            "SELECT product_id, position, kind, plan_id, other_plan_id FROM plan_rules
             WHERE (product_id, position) IN (
                 SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.plan_id
                 WHERE p.product_id IN (SELECT unhex(value) FROM json_each($1))
                 UNION
                 SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.other_plan_id
                 WHERE p.product_id IN (SELECT unhex(value) FROM json_each($1)))",
            "SELECT product_id, position, kind, plan_id, other_plan_id FROM plan_rules
             WHERE (product_id, position) IN (
                 SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.plan_id
                 WHERE p.product_id = ANY($1)
                 UNION
                 SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.other_plan_id
                 WHERE p.product_id = ANY($1))",
        )
        .bind(products)
        .all()
        .await?;
    Ok(gather(rows))
}

/// Replaces the rules of a product, which is held.
pub async fn put(tx: &mut Tx, product: Id<Product>, versioned: &Versioned, now: Timestamp) -> Result<(), Fault> {
    let Versioned { rules, version, .. } = versioned;
    let codes = |countries: &BTreeSet<Country>| countries.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    tx.sql(
        "INSERT INTO product_rules
             (product_id, target_type, license_group, assignment_authority, allowed_locations, prohibited_locations,
              version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (product_id) DO UPDATE SET
             target_type = excluded.target_type, license_group = excluded.license_group,
             assignment_authority = excluded.assignment_authority, allowed_locations = excluded.allowed_locations,
             prohibited_locations = excluded.prohibited_locations, version = excluded.version,
             update_time = excluded.update_time",
    )
    .bind(product)
    .bind(rules.target_type.as_str())
    .bind(rules.group.as_str())
    .bind(rules.authority.as_str())
    .bind(codes(&rules.allowed))
    .bind(codes(&rules.prohibited))
    .bind(*version)
    .bind(now)
    .execute()
    .await?;
    tx.sql("DELETE FROM plan_rules WHERE product_id = $1").bind(product).execute().await?;
    let needs = rules.dependencies.iter().map(|rule| (NEEDS, rule.plan, rule.any_of.iter().copied().collect()));
    let excludes = rules.exclusions.iter().map(|rule| (EXCLUDES, rule.plan, vec![rule.other]));
    for (position, (kind, plan, others)) in (0_i64..).zip(needs.chain(excludes)) {
        let others: Vec<Uuid> = others;
        tx.sql_for(
            "INSERT INTO plan_rules (product_id, position, kind, plan_id, other_plan_id)
             SELECT $1, $2, $3, $4, unhex(value) FROM json_each($5)",
            "INSERT INTO plan_rules (product_id, position, kind, plan_id, other_plan_id)
             SELECT $1::uuid, $2::bigint, $3::text, $4::uuid, other_plan_id FROM unnest($5::uuid[]) AS other_plan_id",
        )
        .bind(product)
        .bind(position)
        .bind(kind)
        .bind(plan)
        .bind(others.as_slice())
        .execute()
        .await?;
    }
    Ok(())
}

impl TargetType {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Tenant => "TENANT",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Tenant].into_iter().find(|each| each.as_str() == text)
    }
}

impl LicenseGroup {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "FIRST",
            Self::Second => "SECOND",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::First, Self::Second].into_iter().find(|each| each.as_str() == text)
    }
}

impl Authority {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "PARTNER",
            Self::Publisher => "PUBLISHER",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Partner, Self::Publisher].into_iter().find(|each| each.as_str() == text)
    }
}
