//! Offers in SQL.

use std::collections::BTreeSet;

use base::{Fault, Id, Keyset, Seek, Timestamp};
use db::{Record, Row, Tx};

use super::commitment::{BillingCycle, Commitments, Term};
use super::{Limit, Offer};
use crate::product::Product;
use base::names::{prefix_end, sort_key};

impl Record for Offer {
    /// Without its countries and what it adds to.
    fn read(row: &Row) -> Result<Self, Fault> {
        let count = row.get::<Option<i64>>("limit_count")?;
        let limit = match (row.get::<Option<String>>("limit_unit")?.as_deref(), count) {
            (None, None) => None,
            (Some("CONCURRENT"), Some(count)) => Some(Limit::Concurrent(count)),
            (Some("LIFETIME"), Some(count)) => Some(Limit::Lifetime(count)),
            _ => return Err(Fault::internal("an offer's row holds no limit")),
        };
        Ok(Self {
            id: row.get("offer_id")?,
            product: row.get("product_id")?,
            name: row.get("name")?,
            countries: BTreeSet::new(),
            minimum_quantity: row.get("minimum_quantity")?,
            maximum_quantity: row.get("maximum_quantity")?,
            available: row.get("available")?,
            trial: row.get("trial")?,
            limit,
            parents: BTreeSet::new(),
            commitments: commitments(row)?,
            product_family: row.get("product_family")?,
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
            version: row.get("version")?,
        })
    }
}

fn commitments(row: &Row) -> Result<Commitments, Fault> {
    let unknown = || Fault::internal("an offer's row holds an unknown commitment");
    let (cycles, terms): (String, String) = (row.get("billing_cycles")?, row.get("terms")?);
    let cycles = cycles.split_whitespace().map(|word| BillingCycle::parse(word).ok_or_else(unknown));
    let terms = terms.split_whitespace().map(|word| Term::parse(word).ok_or_else(unknown));
    Ok(Commitments { billing_cycles: cycles.collect::<Result<_, _>>()?, terms: terms.collect::<Result<_, _>>()? })
}

/// The offer, held as it is.
pub async fn get(tx: &mut Tx, id: Id<Offer>) -> Result<Option<Offer>, Fault> {
    let found: Option<Offer> = tx
        .sql(
            "SELECT offer_id, product_id, name, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, create_time, update_time, version
             FROM offers
             WHERE offer_id = $1",
        )
        .bind(id)
        .for_share()
        .optional()
        .await?;
    complete(tx, found).await
}

/// Those of these offers that there are, as they are.
pub async fn some(tx: &mut Tx, ids: &[Id<Offer>]) -> Result<Vec<Offer>, Fault> {
    let mut offers: Vec<Offer> = tx
        .sql_for(
            "SELECT offer_id, product_id, name, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, create_time, update_time, version
             FROM offers
             WHERE offer_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT offer_id, product_id, name, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, create_time, update_time, version
             FROM offers
             WHERE offer_id = ANY($1)",
        )
        .bind(ids)
        .all()
        .await?;
    add_places(tx, &mut offers).await?;
    Ok(offers)
}

/// The offer, held for a change.
pub async fn lock(tx: &mut Tx, id: Id<Offer>) -> Result<Option<Offer>, Fault> {
    let found: Option<Offer> = tx
        .sql(
            "SELECT offer_id, product_id, name, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, create_time, update_time, version
             FROM offers
             WHERE offer_id = $1",
        )
        .bind(id)
        .for_update()
        .optional()
        .await?;
    complete(tx, found).await
}

async fn complete(tx: &mut Tx, found: Option<Offer>) -> Result<Option<Offer>, Fault> {
    let mut offers: Vec<Offer> = found.into_iter().collect();
    add_places(tx, &mut offers).await?;
    Ok(offers.pop())
}

/// Adds where they are sold, and what they add to.
async fn add_places(tx: &mut Tx, offers: &mut [Offer]) -> Result<(), Fault> {
    let ids: Vec<Id<Offer>> = offers.iter().map(|offer| offer.id).collect();
    let countries: Vec<(Id<Offer>, String)> = tx
        .sql_for(
            "SELECT offer_id, country FROM offer_countries WHERE offer_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT offer_id, country FROM offer_countries WHERE offer_id = ANY($1)",
        )
        .bind(&ids)
        .all()
        .await?;
    for (id, country) in countries {
        if let Some(offer) = offers.iter_mut().find(|offer| offer.id == id) {
            offer.countries.insert(country);
        }
    }
    let parents: Vec<(Id<Offer>, Id<Offer>)> = tx
        .sql_for(
            "SELECT offer_id, parent_offer_id FROM offer_parents
             WHERE offer_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT offer_id, parent_offer_id FROM offer_parents WHERE offer_id = ANY($1)",
        )
        .bind(&ids)
        .all()
        .await?;
    for (id, parent) in parents {
        if let Some(offer) = offers.iter_mut().find(|offer| offer.id == id) {
            offer.parents.insert(parent);
        }
    }
    Ok(())
}

/// Whether something adds to it.
pub async fn is_parent(tx: &mut Tx, id: Id<Offer>) -> Result<bool, Fault> {
    let child: Option<Id<Offer>> =
        tx.sql("SELECT offer_id FROM offer_parents WHERE parent_offer_id = $1 LIMIT 1").bind(id).optional().await?;
    Ok(child.is_some())
}

/// Which offers a list holds.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those whose key begins with this one.
    pub name_prefix: String,
    /// Only of this product.
    pub product: Option<Id<Product>>,
    /// Only those that are sold in this country.
    pub country: Option<String>,
    /// Only those that can be ordered now.
    pub available_only: bool,
    /// Only trials, or only what is no trial.
    pub trial: Option<bool>,
    /// Only those of this family.
    pub product_family: Option<String>,
    /// Only those that say that they can be billed so.
    pub billing_cycle: Option<BillingCycle>,
    /// Only those that say that they bind their buyer for so long.
    pub term: Option<Term>,
}

/// The offers by name, in the seek's own direction, and one more than the limit when there are more.
pub async fn list(tx: &mut Tx, filter: &Filter, seek: &Seek, limit: usize) -> Result<Vec<Offer>, Fault> {
    let mut offers: Vec<Offer> = tx
        .sql(
            "SELECT offer_id, product_id, name, minimum_quantity, maximum_quantity, available, trial, limit_unit,
                 limit_count, billing_cycles, terms, product_family, create_time, update_time, version
             FROM offers
             WHERE name_key >= $1",
        )
        .bind(&filter.name_prefix)
        .when(prefix_end(&filter.name_prefix), "AND name_key < $?")
        .when(filter.product, "AND product_id = $?")
        .when(
            filter.country.clone(),
            "AND (NOT EXISTS (SELECT 1 FROM offer_countries c WHERE c.offer_id = offers.offer_id)
              OR EXISTS (SELECT 1 FROM offer_countries c WHERE c.offer_id = offers.offer_id AND c.country = $?))",
        )
        .when_set(filter.available_only, "AND available")
        .when(filter.trial, "AND trial = $?")
        .when(filter.product_family.clone(), "AND product_family = $?")
        // No word of these is a part of another.
        .when(filter.billing_cycle.map(BillingCycle::as_str), "AND REPLACE(billing_cycles, $?, '') <> billing_cycles")
        .when(filter.term.map(Term::as_str), "AND REPLACE(terms, $?, '') <> terms")
        .page(seek, limit, "name_key", "offer_id")
        .all()
        .await?;
    add_places(tx, &mut offers).await?;
    Ok(offers)
}

/// Where an offer stands in the list.
pub fn position(offer: &Offer) -> Keyset {
    Keyset { key: sort_key(&offer.name), id: offer.id.uuid() }
}

/// Writes a new offer. False when there is one by that id.
pub async fn insert(tx: &mut Tx, offer: &Offer) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO offers (offer_id, product_id, name, name_key, minimum_quantity, maximum_quantity, available,
                 trial, limit_unit, limit_count, billing_cycles, terms, product_family, version, create_time, update_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT DO NOTHING",
        )
        .bind(offer.id)
        .bind(offer.product)
        .bind(&offer.name)
        .bind(sort_key(&offer.name))
        .bind(offer.minimum_quantity)
        .bind(offer.maximum_quantity)
        .bind(offer.available)
        .bind(offer.trial)
        .bind(offer.limit.map(|limit| limit.unit().to_owned()))
        .bind(offer.limit.map(Limit::count))
        .bind(offer.commitments.cycle_words())
        .bind(offer.commitments.term_words())
        .bind(&offer.product_family)
        .bind(offer.version)
        .bind(offer.create_time)
        .bind(offer.update_time)
        .execute()
        .await?;
    if inserted == 1 {
        set_places(tx, offer).await?;
    }
    Ok(inserted == 1)
}

/// Writes what a locked offer has become.
pub async fn update(tx: &mut Tx, offer: &Offer, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "UPDATE offers SET name = $2, name_key = $3, minimum_quantity = $4, maximum_quantity = $5, available = $6,
             trial = $7, limit_unit = $8, limit_count = $9, billing_cycles = $10, terms = $11, product_family = $12,
             version = version + 1, update_time = $13
         WHERE offer_id = $1",
    )
    .bind(offer.id)
    .bind(&offer.name)
    .bind(sort_key(&offer.name))
    .bind(offer.minimum_quantity)
    .bind(offer.maximum_quantity)
    .bind(offer.available)
    .bind(offer.trial)
    .bind(offer.limit.map(|limit| limit.unit().to_owned()))
    .bind(offer.limit.map(Limit::count))
    .bind(offer.commitments.cycle_words())
    .bind(offer.commitments.term_words())
    .bind(&offer.product_family)
    .bind(now)
    .execute()
    .await?;
    tx.sql("DELETE FROM offer_countries WHERE offer_id = $1").bind(offer.id).execute().await?;
    tx.sql("DELETE FROM offer_parents WHERE offer_id = $1").bind(offer.id).execute().await?;
    set_places(tx, offer).await
}

/// Writes where it is sold, and what it adds to.
async fn set_places(tx: &mut Tx, offer: &Offer) -> Result<(), Fault> {
    for country in &offer.countries {
        tx.sql("INSERT INTO offer_countries (offer_id, country) VALUES ($1, $2)")
            .bind(offer.id)
            .bind(country)
            .execute()
            .await?;
    }
    for parent in &offer.parents {
        tx.sql("INSERT INTO offer_parents (offer_id, parent_offer_id) VALUES ($1, $2)")
            .bind(offer.id)
            .bind(*parent)
            .execute()
            .await?;
    }
    Ok(())
}
