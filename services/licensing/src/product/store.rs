//! Products in SQL.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{Catalog, Changes, PlanNames, Product};
use base::names::{prefix_end, sort_key};

/// A product as it stands in lists.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The product.
    pub id: Id<Product>,
    /// What people call it.
    pub name: String,
    /// The vendor's part number.
    pub part_number: String,
    /// When an edition first named it.
    pub create_time: Timestamp,
    /// When an edition last changed its own names.
    pub update_time: Timestamp,
}

impl Record for Listed {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("product_id")?,
            name: row.get("name")?,
            part_number: row.get("part_number")?,
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
        })
    }
}

/// One product.
pub async fn get(tx: &mut Tx, id: Id<Product>) -> Result<Option<Listed>, Fault> {
    tx.sql(
        "SELECT product_id, name, part_number, create_time, update_time
         FROM products
         WHERE product_id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// Holds a product for a change of what is said of it. False when there is none.
pub async fn lock(tx: &mut Tx, id: Id<Product>) -> Result<bool, Fault> {
    let found: Option<Id<Product>> =
        tx.sql("SELECT product_id FROM products WHERE product_id = $1").bind(id).for_update().optional().await?;
    Ok(found.is_some())
}

/// One page of the products by name.
pub async fn list(tx: &mut Tx, name_prefix: &str, seek: &Seek, limit: usize) -> Result<Page<Listed>, Fault> {
    let rows = tx
        .sql(
            "SELECT product_id, name, part_number, create_time, update_time
             FROM products
             WHERE name_key >= $1",
        )
        .bind(name_prefix)
        .when(prefix_end(name_prefix), "AND name_key < $?")
        .page(seek, limit, "name_key", "product_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, |product: &Listed| Keyset { key: sort_key(&product.name), id: product.id.uuid() }))
}

/// The service plans of these products, by product and plan.
pub async fn plans(
    tx: &mut Tx,
    products: &[Id<Product>],
) -> Result<BTreeMap<Id<Product>, BTreeMap<Uuid, PlanNames>>, Fault> {
    let rows: Vec<(Id<Product>, Uuid, String, String)> = tx
        .sql_for(
            "SELECT product_id, plan_id, plan_name, friendly_name FROM product_plans
             WHERE product_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT product_id, plan_id, plan_name, friendly_name FROM product_plans WHERE product_id = ANY($1)",
        )
        .bind(products)
        .all()
        .await?;
    let mut plans: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (product, plan, plan_name, friendly_name) in rows {
        plans.entry(product).or_default().insert(plan, PlanNames { plan_name, friendly_name });
    }
    Ok(plans)
}

/// Those of these service plans that some product has.
pub async fn known_plans(tx: &mut Tx, plans: &[Uuid]) -> Result<BTreeSet<Uuid>, Fault> {
    let known: Vec<Uuid> = tx
        .sql_for(
            "SELECT DISTINCT plan_id FROM product_plans WHERE plan_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT DISTINCT plan_id FROM product_plans WHERE plan_id = ANY($1)",
        )
        .bind(plans)
        .all()
        .await?;
    Ok(known.into_iter().collect())
}

/// Holds the catalog: nobody else takes an edition over meanwhile.
pub async fn hold_catalog(tx: &mut Tx) -> Result<(), Fault> {
    tx.sql("SELECT catalog_id FROM catalog WHERE catalog_id = 1").for_update().one::<i64>().await.map(drop)
}

/// Everything that is present: the catalog is as long as the vendor's list.
pub async fn catalog(tx: &mut Tx) -> Result<Catalog, Fault> {
    let products: Vec<(Uuid, String, String)> =
        tx.sql("SELECT product_id, name, part_number FROM products").all().await?;
    let plans: Vec<(Uuid, Uuid, String, String)> =
        tx.sql("SELECT product_id, plan_id, plan_name, friendly_name FROM product_plans").all().await?;
    let mut catalog = Catalog::default();
    for (id, name, part_number) in products {
        catalog.products.insert(id, Product { name, part_number, plans: BTreeMap::new() });
    }
    for (product, plan, plan_name, friendly_name) in plans {
        if let Some(product) = catalog.products.get_mut(&product) {
            product.plans.insert(plan, PlanNames { plan_name, friendly_name });
        }
    }
    Ok(catalog)
}

/// Writes what is new or changed in a newer list: two statements, however many products there are. Rows are written in
/// the order of their ids, so that two imports wait for each other and never for themselves.
pub async fn take_over(tx: &mut Tx, newer: &Catalog, changes: &Changes, now: Timestamp) -> Result<(), Fault> {
    let mut products: Vec<Uuid> = [changes.products.added.as_slice(), &changes.products.changed].concat();
    products.sort_unstable();
    let products = products.iter().filter_map(|id| Some((id, newer.products.get(id)?)));
    let products: Vec<[String; 4]> = products
        .map(|(id, product)| {
            let key = sort_key(&product.name);
            [id.simple().to_string(), product.name.clone(), key, product.part_number.clone()]
        })
        .collect();
    tx.sql_for(
        "INSERT INTO products (product_id, name, name_key, part_number, create_time, update_time)
         SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, $2, $2 FROM json_each($1)
         WHERE true
         ON CONFLICT (product_id) DO UPDATE SET
             name = excluded.name, name_key = excluded.name_key, part_number = excluded.part_number,
             update_time = excluded.update_time",
        "INSERT INTO products (product_id, name, name_key, part_number, create_time, update_time)
         SELECT (value ->> 0)::uuid, value ->> 1, value ->> 2, value ->> 3, $2::timestamptz, $2::timestamptz
         FROM json_array_elements($1::text::json)
         ON CONFLICT (product_id) DO UPDATE SET
             name = excluded.name, name_key = excluded.name_key, part_number = excluded.part_number,
             update_time = excluded.update_time",
    )
    .bind(json(&products)?)
    .bind(now)
    .execute()
    .await?;
    let inclusions = newer.inclusions();
    let mut plans = [changes.inclusions.added.as_slice(), &changes.inclusions.changed].concat();
    plans.sort_unstable();
    let plans = plans.iter().filter_map(|inclusion| Some((inclusion, inclusions.get(inclusion)?)));
    let plans: Vec<[String; 4]> = plans
        .map(|(inclusion, names)| {
            let (product, plan) = (inclusion.product.simple().to_string(), inclusion.plan.simple().to_string());
            [product, plan, names.plan_name.clone(), names.friendly_name.clone()]
        })
        .collect();
    tx.sql_for(
        "INSERT INTO product_plans (product_id, plan_id, plan_name, friendly_name)
         SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3 FROM json_each($1)
         WHERE true
         ON CONFLICT (product_id, plan_id) DO UPDATE SET
             plan_name = excluded.plan_name, friendly_name = excluded.friendly_name",
        "INSERT INTO product_plans (product_id, plan_id, plan_name, friendly_name)
         SELECT (value ->> 0)::uuid, (value ->> 1)::uuid, value ->> 2, value ->> 3
         FROM json_array_elements($1::text::json)
         ON CONFLICT (product_id, plan_id) DO UPDATE SET
             plan_name = excluded.plan_name, friendly_name = excluded.friendly_name",
    )
    .bind(json(&plans)?)
    .execute()
    .await
    .map(drop)
}

fn json(rows: &[[String; 4]]) -> Result<String, Fault> {
    serde_json::to_string(rows).map_err(|error| Fault::internal("rows cannot be written as JSON").because(error))
}
