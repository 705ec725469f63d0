//! Editions compared with what is present, and the vendor's own file where it can be had.

use std::io::ErrorKind;
use std::path::Path;

use uuid::{Uuid, uuid};

use super::edition::Edition;
use super::edition_tests::{Dice, SMALL, read};
use super::*;

/// Below the folder that holds the workspace; the vendor's file is not ours to commit.
const PUBLISHED: &str = "../../../shared/data/product-names-and-service-plan-identifiers.csv";

const RENAMED: Uuid = uuid!("d2dea78b-507c-4e56-b400-39447f4738f8");
const DROPPED: Uuid = uuid!("8f0c5670-4e56-4892-b06d-91c085d7004f");
const TOUCHED: Inclusion = Inclusion {
    product: uuid!("1f2f344a-700d-42c9-9427-5cea1d5d7ba6"),
    plan: uuid!("acffdce6-c30f-4dc2-81c0-372e33c515ec"),
};
const NEW: Inclusion = Inclusion {
    product: uuid!("e0f1b9f0-1c7e-4a43-9a53-5a7d8a4a0c01"),
    plan: uuid!("e0f1b9f0-1c7e-4a43-9a53-5a7d8a4a0c02"),
};

/// The published file. Where tests are run for others it must be there; elsewhere its absence is said and tolerated.
fn published() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUBLISHED);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            println!("the published file was read from {}", path.display());
            Some(text)
        }
        Err(error) => {
            let tolerated = error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none();
            assert!(tolerated, "the published file cannot be read from {}: {error}", path.display());
            println!("the published file was not there and nothing was checked: {}", path.display());
            None
        }
    }
}

/// What is stored once an edition was imported: what was there, and over it what the edition says.
fn stored_after(present: &Catalog, edition: &Edition) -> Catalog {
    let mut stored = present.clone();
    for (id, newer) in &edition.catalog.products {
        let mut plans = stored.products.remove(id).map(|product| product.plans).unwrap_or_default();
        plans.extend(newer.plans.clone());
        stored.products.insert(*id, Product { plans, ..newer.clone() });
    }
    stored
}

fn keys<K: Copy + Ord, V>(map: &BTreeMap<K, V>, wanted: impl Fn(&K) -> bool) -> Vec<K> {
    map.keys().filter(|key| wanted(key)).copied().collect()
}

#[test]
fn the_published_edition_reads_as_it_is() {
    let Some(text) = published() else { return };
    let edition = read(text.as_bytes());
    assert_eq!(edition.catalog.products.len(), 569);
    assert_eq!(edition.catalog.plans().len(), 723);
    assert_eq!(edition.catalog.inclusions().len(), 5_448);
    assert_eq!((edition.rows, edition.repeated_rows), (5_457, 9));
    let lines = edition.conflicts.listed().iter().map(|conflict| conflict.line).collect::<Vec<_>>();
    assert_eq!(lines, [3_312, 5_219, 5_220, 5_221, 5_221, 5_222]);
    for product in edition.catalog.products.values() {
        let names = product.plans.values().flat_map(|names| [&names.plan_name, &names.friendly_name]);
        for name in names.chain([&product.name, &product.part_number]) {
            assert!(!name.contains(['\u{a0}', '\t']) && name.trim() == name && !name.contains("  "), "{name:?}");
        }
    }
}

#[test]
fn importing_the_same_file_again_changes_nothing() {
    let small = read(SMALL);
    let large = published().map(|text| read(text.as_bytes()));
    for edition in [Some(small), large].into_iter().flatten() {
        let first = edition.compare(&Catalog::default());
        assert_eq!(first.products.added, keys(&edition.catalog.products, |_| true));
        assert_eq!(first.inclusions.added, keys(&edition.catalog.inclusions(), |_| true));
        assert_eq!(first.plans.added, keys(&edition.catalog.plans(), |_| true));

        let again = edition.compare(&stored_after(&Catalog::default(), &edition));
        assert!(again.is_nothing());
        assert_eq!(again.products.unchanged, edition.catalog.products.len());
        assert_eq!(again.inclusions.unchanged, edition.catalog.inclusions().len());
        assert_eq!(again.plans.unchanged, edition.catalog.plans().len());
        assert_eq!((again.products.missing, again.inclusions.missing), (vec![], vec![]));
    }
}

#[test]
fn a_newer_published_edition_reports_exactly_what_the_vendor_changed() {
    let Some(text) = published() else { return };
    let present = read(text.as_bytes()).catalog;
    let is_about = |line: &str, id: Uuid| line.contains(&format!(",{id},"));
    let mut lines = text.lines().filter(|line| !is_about(line, DROPPED)).map(str::to_owned).collect::<Vec<_>>();
    for line in &mut lines {
        if is_about(line, RENAMED) {
            *line = line.replacen("Capacity add-on", "Capacity", 1);
        } else if is_about(line, TOUCHED.product) && is_about(line, TOUCHED.plan) {
            line.push_str(" (renamed)");
        }
    }
    lines.push(format!("Harbor Board,HARBOR_BOARD,{},HARBOR_BOARD,{},Board", NEW.product, NEW.plan));
    let newer = read(lines.join("\n").as_bytes());

    let changes = newer.compare(&present);
    let dropped_plans = keys(&present.products[&DROPPED].plans, |plan| present.plans()[plan] == 1);
    assert_eq!(
        changes.products,
        Delta { added: vec![NEW.product], changed: vec![RENAMED], missing: vec![DROPPED], unchanged: 569 - 2 }
    );
    let dropped = keys(&present.inclusions(), |inclusion| inclusion.product == DROPPED);
    let unchanged = 5_448 - 1 - dropped.len();
    assert_eq!(changes.inclusions, Delta { added: vec![NEW], changed: vec![TOUCHED], missing: dropped, unchanged });
    let unchanged = 723 - dropped_plans.len();
    assert_eq!(changes.plans, Delta { added: vec![NEW.plan], changed: vec![], missing: dropped_plans, unchanged });

    let again = newer.compare(&stored_after(&present, &newer));
    assert!(again.is_nothing());
    assert_eq!(again.products.missing, [DROPPED], "what is missing stays present and is reported again");
}

#[test]
fn the_order_of_rows_means_nothing() {
    let text = std::str::from_utf8(SMALL).unwrap();
    let (header, rows) = text.split_once("\r\n").unwrap();
    // The last row is the second name of a plan: ahead of the first one it would win.
    let mut rows = rows.lines().take(31).collect::<Vec<_>>();
    let edition = read([header].iter().chain(&rows).copied().collect::<Vec<_>>().join("\n").as_bytes());
    rows.reverse();
    let reversed = read([header].iter().chain(&rows).copied().collect::<Vec<_>>().join("\n").as_bytes());
    assert_eq!(reversed, edition);
}

#[test]
fn there_is_something_to_write_when_anything_is_new_or_renamed_and_not_when_it_is_missing() {
    let edition = read(SMALL);
    let with = |edit: fn(&mut Product)| {
        let mut present = edition.catalog.clone();
        edit(present.products.values_mut().next().unwrap());
        edition.compare(&present)
    };
    assert!(!with(|product| product.name.push('!')).is_nothing());
    assert!(!with(|product| product.part_number.push('!')).is_nothing());
    assert!(!with(|product| product.plans.clear()).is_nothing());
    assert!(!with(|product| product.plans.first_entry().unwrap().get_mut().plan_name.push('!')).is_nothing());
    assert!(!with(|product| product.plans.first_entry().unwrap().get_mut().friendly_name.push('!')).is_nothing());

    let mut fewer = edition.clone();
    let (gone, _) = fewer.catalog.products.pop_first().unwrap();
    let changes = fewer.compare(&edition.catalog);
    assert!(changes.is_nothing());
    assert_eq!(changes.products.missing, [gone]);
}

#[test]
fn every_mixture_of_edits_is_reported_exactly() {
    let edition = read(SMALL);
    let mut dice = Dice(11);
    for round in 0..300 {
        let mut present = edition.catalog.clone();
        let (mut added, mut changed, mut missing) = (vec![], vec![], vec![]);
        let (mut added_plans, mut changed_plans, mut missing_plans) = (vec![], vec![], vec![]);
        for (&product, before) in &edition.catalog.products {
            let kept = present.products.get_mut(&product).unwrap();
            for &plan in before.plans.keys() {
                let inclusion = Inclusion { product, plan };
                match dice.below(6) {
                    0 => {
                        kept.plans.remove(&plan);
                        added_plans.push(inclusion);
                    }
                    1 => {
                        kept.plans.get_mut(&plan).unwrap().friendly_name.push('!');
                        changed_plans.push(inclusion);
                    }
                    2 => {
                        let retired = Uuid::from_u128(plan.as_u128() ^ 1);
                        kept.plans.insert(retired, before.plans[&plan].clone());
                        missing_plans.push(Inclusion { product, plan: retired });
                    }
                    _ => {}
                }
            }
            match dice.below(5) {
                0 => {
                    present.products.remove(&product);
                    added.push(product);
                    changed_plans.retain(|inclusion| inclusion.product != product);
                    missing_plans.retain(|inclusion| inclusion.product != product);
                    added_plans.retain(|inclusion| inclusion.product != product);
                    added_plans.extend(before.plans.keys().map(|&plan| Inclusion { product, plan }));
                }
                1 => {
                    kept.part_number.push('!');
                    changed.push(product);
                }
                2 => {
                    let retired = Uuid::from_u128(product.as_u128() ^ 1);
                    present.products.insert(retired, Product { plans: BTreeMap::new(), ..before.clone() });
                    missing.push(retired);
                }
                _ => {}
            }
        }
        added_plans.sort();
        missing_plans.sort();
        missing.sort();
        let unchanged = 12 - added.len() - changed.len();
        let unchanged_plans = 30 - added_plans.len() - changed_plans.len();
        let changes = edition.compare(&present);
        assert_eq!(changes.products, Delta { added, changed, missing, unchanged }, "round {round}");
        assert_eq!(
            changes.inclusions,
            Delta { added: added_plans, changed: changed_plans, missing: missing_plans, unchanged: unchanged_plans },
            "round {round}"
        );
        assert!(edition.compare(&stored_after(&present, &edition)).is_nothing(), "round {round}");
    }
}
