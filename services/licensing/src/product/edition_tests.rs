//! How files are read: the small catalog with every harmless oddity, and files that are refused.

use std::collections::BTreeMap;

use uuid::{Uuid, uuid};

use super::edition::*;

/// Twelve invented products, written with all the oddities of the published file.
pub(super) const SMALL: &[u8] = include_bytes!("../../catalog/small.csv");

const HEADER: &str =
    "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names";
const SOUND: &str =
    "Buoy,BUOY,6d0f47cf-4d3b-4d5b-9c0e-0a3f5d6b7a11,BUOY_LIGHT,2b1c7f7e-8a53-4d0e-b6f7-3f2c1d0e9a22,Light";

const ESSENTIALS: Uuid = uuid!("a2b211b7-542e-4672-ad53-edb073c59c94");
const EDUCATION: Uuid = uuid!("0bd8e30d-e4f9-4ae9-bb78-bb0a8955cf2b");
const PREMIUM: Uuid = uuid!("15a9b48f-b0f8-4e82-85ae-4bd8302be289");
const MAIL_2: Uuid = uuid!("2c0bcb5f-c42a-4013-a1c3-b73196e53cde");
const SHIELD: Uuid = uuid!("fdff045d-9cc8-422d-a1f5-028774ff5426");
const CLASSROOM: Uuid = uuid!("d10f9768-1457-434b-87ab-05dcbd82fc37");
const MEET_PLAN: Uuid = uuid!("105e687e-f33f-468c-aab1-e3120f25cc13");
const MAIL_2_PLAN: Uuid = uuid!("20609bdc-cef7-4c1a-a8ab-bac2803a5e99");
const DOCS_WEB_PLAN: Uuid = uuid!("8771727e-bdf9-4841-a38a-f685323059e4");

pub(super) fn read(bytes: &[u8]) -> Edition {
    Edition::parse(bytes).expect("a sound file")
}

fn refusal(bytes: &[u8]) -> EditionFault {
    Edition::parse(bytes).expect_err("a broken file")
}

fn file(rows: &[&str]) -> Vec<u8> {
    format!("{HEADER}\r\n{}\r\n", rows.join("\r\n")).into_bytes()
}

/// What is wrong with a file of these rows, as sentences.
fn violations(rows: &[&str]) -> Vec<String> {
    match refusal(&file(rows)) {
        EditionFault::BrokenRows(violations) => violations.listed().iter().map(ToString::to_string).collect(),
        other => panic!("expected broken rows, found {other:?}"),
    }
}

fn sound_with(column: Column, cell: &str) -> String {
    let mut cells = SOUND.split(',').collect::<Vec<_>>();
    cells[column as usize] = cell;
    cells.join(",")
}

#[test]
fn the_small_catalog_is_written_with_the_oddities_of_the_published_one() {
    let text = std::str::from_utf8(SMALL).unwrap();
    for oddity in
        ["\u{feff}Product", "\r\n", "\"Harbor Archive for Mail, Add-on\"", "\"\"Desk\"\"", " ,", "\u{a0},", "\t"]
    {
        assert!(text.contains(oddity), "{oddity:?} is gone from the file");
    }
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn the_small_catalog_is_counted_to_the_row() {
    let edition = read(SMALL);
    assert_eq!((edition.rows, edition.repeated_rows), (32, 2));
    assert_eq!(edition.catalog.products.len(), 12);
    assert_eq!(edition.catalog.inclusions().len(), 30);
    assert_eq!(edition.catalog.plans().len(), 15);
}

#[test]
fn stray_spaces_tabs_and_no_break_spaces_become_single_spaces() {
    let products = read(SMALL).catalog.products;
    let education = &products[&EDUCATION];
    assert_eq!(education.part_number, "HARBOR_WORK_EDU");
    assert_eq!(education.plans[&DOCS_WEB_PLAN].friendly_name, "Harbor Docs for the Web");
    assert_eq!(education.plans[&MEET_PLAN].friendly_name, "Harbor Meet for Education");
    let shield = products[&SHIELD].plans.values().map(|names| names.plan_name.as_str()).collect::<Vec<_>>();
    assert_eq!(shield, ["LIGHTHOUSE_SHIELD", "LIGHTHOUSE AUDIT LOG"]);
}

#[test]
fn quoted_commas_and_doubled_quotes_belong_to_the_name() {
    let catalog = read(SMALL).catalog;
    assert!(catalog.products.values().any(|product| product.name == "Harbor Archive for Mail, Add-on"));
    let friendly = |wanted| catalog.inclusions().values().any(|names| names.friendly_name == wanted);
    assert!(friendly("Lighthouse Shield, Sign-in Watch"));
    assert!(friendly("Quillworks Signature \"Desk\" Edition"));
}

#[test]
fn a_guid_in_capitals_is_the_same_guid() {
    assert_eq!(read(SMALL).catalog.products[&CLASSROOM].plans.len(), 2);
}

#[test]
fn a_plan_keeps_the_name_that_each_product_gives_it() {
    let products = read(SMALL).catalog.products;
    let meet = |product| products[&product].plans[&MEET_PLAN].friendly_name.clone();
    assert_eq!(
        [meet(ESSENTIALS), meet(EDUCATION), meet(PREMIUM)],
        ["Harbor Meet", "Harbor Meet for Education", "HARBOR MEET"]
    );
}

#[test]
fn a_part_number_may_be_shared() {
    let mut owners = BTreeMap::<String, usize>::new();
    for product in read(SMALL).catalog.products.into_values() {
        *owners.entry(product.part_number).or_default() += 1;
    }
    owners.retain(|_, products| *products > 1);
    assert_eq!(owners, [("HARBOR_VOICE_DOMESTIC".to_owned(), 2)].into());
}

#[test]
fn the_first_of_two_names_stays_and_the_other_is_reported() {
    let edition = read(SMALL);
    assert_eq!(edition.catalog.products[&MAIL_2].plans[&MAIL_2_PLAN].friendly_name, "Harbor Mail (Plan 2)");
    let conflict = Conflict {
        line: 33,
        column: Column::FriendlyName,
        product: MAIL_2,
        plan: MAIL_2_PLAN,
        kept: "Harbor Mail (Plan 2)".to_owned(),
        ignored: "Harbor Mail Plan 2".to_owned(),
    };
    assert_eq!(edition.conflicts.listed(), [conflict]);
}

#[test]
fn every_name_that_contradicts_an_earlier_row_is_a_conflict() {
    let other_plan = SOUND.replace("Buoy,BUOY,", "Beacon,BCN,").replace("2b1c7f7e", "00000001");
    let same_plan = SOUND.replace("BUOY_LIGHT", "LIGHT").replace(",Light", ",Lamp");
    let edition = read(&file(&[SOUND, &other_plan, &same_plan]));
    let found = edition.conflicts.listed().iter().map(|c| (c.line, c.column, c.ignored.as_str())).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            (3, Column::ProductName, "Beacon"),
            (3, Column::PartNumber, "BCN"),
            (4, Column::PlanName, "LIGHT"),
            (4, Column::FriendlyName, "Lamp"),
        ]
    );
    let product = edition.catalog.products.values().next().unwrap();
    assert_eq!((product.name.as_str(), product.plans.len(), edition.repeated_rows), ("Buoy", 2, 1));
}

#[test]
fn a_file_reads_the_same_with_and_without_byte_order_mark_and_carriage_returns() {
    let plain = std::str::from_utf8(SMALL).unwrap().trim_start_matches('\u{feff}').replace("\r\n", "\n");
    assert_eq!(read(plain.as_bytes()), read(SMALL));
    assert_eq!(read(plain.trim_end().as_bytes()), read(SMALL));
    let quoted = format!(
        "\u{feff}{}\n{SOUND}",
        HEADER.split(',').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
    );
    assert_eq!(read(quoted.as_bytes()), read(&file(&[SOUND])));
}

#[test]
fn everything_wrong_with_the_rows_is_said_at_once() {
    let bad_cells = " ,BUOY,6d0f47cf,BUOY\u{7}LIGHT,,Light";
    assert_eq!(
        violations(&[SOUND, "Buoy,BUOY", "", bad_cells, SOUND]),
        [
            "line 3: the row has 2 cells instead of 6",
            "line 5, Product_Display_Name: the cell is empty",
            "line 5, GUID: \"6d0f47cf\" is not a GUID of the form 8-4-4-4-12 that names something",
            "line 5, Service_Plan_Name: the cell holds the control character U+0007",
            "line 5, Service_Plan_Id: the cell is empty",
        ]
    );
}

#[test]
fn violations_and_conflicts_are_listed_to_a_bound_and_counted_beyond() {
    let EditionFault::BrokenRows(violations) = refusal(&file(&["Buoy"; FINDINGS_MAX + 5])) else { panic!() };
    assert_eq!((violations.listed().len(), violations.total()), (FINDINGS_MAX, FINDINGS_MAX + 5));

    let renamed = SOUND.replace("Light", "Lamp");
    let rows = [&[SOUND], [renamed.as_str(); FINDINGS_MAX + 7].as_slice()].concat();
    let conflicts = read(&file(&rows)).conflicts;
    assert_eq!((conflicts.listed().len(), conflicts.total()), (FINDINGS_MAX, FINDINGS_MAX + 7));
}

#[test]
fn only_a_hyphenated_guid_that_is_not_nil_names_something() {
    for guid in [
        "00000000-0000-0000-0000-000000000000",
        "{6d0f47cf-4d3b-4d5b-9c0e-0a3f5d6b7a11}",
        "6d0f47cf4d3b4d5b9c0e0a3f5d6b7a11",
        "6d0f47cf-4d3b-4d5b-9c0e-0a3f5d6b7a1g",
        "6d0f47cf-4d3b-4d5b-9c0e-0a3f5d6b7a11\u{200b}",
        "ééééééééééééé-ééé",
    ] {
        for column in [Column::Product, Column::Plan] {
            let found = violations(&[&sound_with(column, guid)]);
            assert!(found[0].contains("is not a GUID") && found.len() == 1, "{guid}: {found:?}");
        }
    }
}

#[test]
fn quotes_that_do_not_match_refuse_the_file_and_name_the_line() {
    let open_at_the_end = sound_with(Column::FriendlyName, "\"Light");
    let swallows_rows = sound_with(Column::ProductName, "\"Buoy");
    let goes_on = sound_with(Column::ProductName, "\"Buoy\" Light");
    for broken in [open_at_the_end, swallows_rows, goes_on] {
        for after in [&[][..], &[SOUND, "\"Buoy, Light\",,,,,"]] {
            let rows = [&[SOUND, &broken], after].concat();
            assert_eq!(refusal(&file(&rows)), EditionFault::UnbalancedQuotes { line: 3 }, "{rows:?}");
        }
    }
    let in_the_header = format!("\u{feff}\"{HEADER}\n{SOUND}");
    assert_eq!(refusal(in_the_header.as_bytes()), EditionFault::UnbalancedQuotes { line: 1 });
    assert_eq!(read(&file(&[&sound_with(Column::ProductName, "5\" Buoy")])).rows, 1);
}

#[test]
fn a_nul_or_a_line_break_within_a_cell_refuses_the_row() {
    let nul = violations(&[SOUND, &sound_with(Column::PartNumber, "BU\0OY")]);
    assert_eq!(nul, ["line 3, String_Id: the cell holds the control character U+0000"]);
    let line_break = violations(&[&sound_with(Column::ProductName, "\"Bu\noy\""), "short"]);
    assert_eq!(
        line_break,
        [
            "line 2, Product_Display_Name: the cell holds the control character U+000A",
            "line 4: the row has 1 cells instead of 6"
        ]
    );
}

#[test]
fn a_file_in_another_encoding_is_told_so() {
    let text = std::str::from_utf8(SMALL).unwrap();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    for text in [text, text.trim_start_matches('\u{feff}')] {
        assert_eq!(refusal(&utf16(text, u16::to_le_bytes)), EditionFault::Utf16);
        assert_eq!(refusal(&utf16(text, u16::to_be_bytes)), EditionFault::Utf16);
    }
    let mut latin1 = file(&[SOUND, "", "Boje,B"]);
    latin1.extend(b"Gro\xDF,B\r\n");
    assert_eq!(refusal(&latin1), EditionFault::NotUtf8 { line: 5 });
    assert_eq!(refusal(b"\xDF"), EditionFault::NotUtf8 { line: 1 });
}

#[test]
fn a_cell_of_a_megabyte_is_too_long() {
    let long = sound_with(Column::ProductName, &"é".repeat(1_000_000));
    assert_eq!(
        violations(&[&long]),
        ["line 2, Product_Display_Name: the cell has 1000000 characters; at most 512 are read"]
    );
    assert_eq!(read(&file(&[&sound_with(Column::ProductName, &"é".repeat(CELL_CHARS_MAX))])).rows, 1);
}

#[test]
fn a_hundred_thousand_columns_are_too_many_in_a_row_and_in_the_header() {
    let wide = ",".repeat(99_999);
    assert_eq!(violations(&[&wide]), ["line 2: the row has 100000 cells instead of 6"]);
    let EditionFault::WrongHeader { found } = refusal(wide.as_bytes()) else { panic!() };
    assert_eq!(found, ",,,,,,");
}

#[test]
fn any_header_but_the_published_one_is_refused() {
    let swapped = HEADER.replace("String_Id,GUID", "GUID,String_Id");
    let twice = HEADER.replace("String_Id", "GUID");
    let trailing = format!("{HEADER},");
    for header in ["", "\r\n", &swapped, &twice, &trailing, &HEADER.to_lowercase(), SOUND] {
        let refused = refusal(format!("{header}\r\n{SOUND}\r\n").as_bytes());
        if header.trim().is_empty() {
            assert!(matches!(&refused, EditionFault::WrongHeader { found } if found.starts_with("Buoy,")), "{refused}");
        } else {
            assert_eq!(refused.reason(), "WRONG_HEADER", "{header}");
        }
    }
    assert_eq!(refusal(b"").reason(), "WRONG_HEADER");
    let spaced = HEADER.replace(',', " ,\u{a0}");
    assert_eq!(read(format!("{spaced}\n{SOUND}").as_bytes()).rows, 1);
}

#[test]
fn a_header_that_comes_again_is_a_broken_row() {
    let again = violations(&[SOUND, HEADER]);
    assert_eq!(again.len(), 2);
    assert!(again[0].starts_with("line 3, GUID: \"GUID\" is not a GUID"), "{again:?}");
    assert!(again[1].starts_with("line 3, Service_Plan_Id: \"Service_Plan_Id\" is not a GUID"), "{again:?}");
}

#[test]
fn a_file_without_rows_or_beyond_the_limits_is_refused() {
    assert_eq!(refusal(HEADER.as_bytes()), EditionFault::NoRows);
    assert_eq!(refusal(&file(&vec!["a"; ROWS_MAX + 1])), EditionFault::TooManyRows);
    assert_eq!(refusal(&file(&vec!["a"; ROWS_MAX])).reason(), "BROKEN_ROWS");
    let mut bytes = file(&[SOUND]);
    bytes.resize(EDITION_BYTES_MAX, b'\n');
    assert_eq!(read(&bytes).rows, 1);
    bytes.push(b'\n');
    assert_eq!(refusal(&bytes), EditionFault::TooLarge { bytes: EDITION_BYTES_MAX + 1 });
}

#[test]
fn whatever_happens_to_a_file_no_row_vanishes() {
    const PIECES: [&[u8]; 10] =
        [b"\"", b",", b"\r\n", b"\n", b"\r", b"\0", b"\xEF\xBB\xBF", b"\xA0", b"\xC2\xA0", b"x"];
    let mut dice = Dice(7);
    let (mut read, mut refused) = (0, 0);
    for round in 0..2_000 {
        let mut bytes = SMALL.to_vec();
        for _ in 0..=dice.below(2) {
            let at = dice.below(bytes.len());
            let cut = dice.below(3).min(bytes.len() - at);
            bytes.splice(at..at + cut, PIECES[dice.below(PIECES.len())].iter().copied());
        }
        match Edition::parse(&bytes) {
            Ok(edition) => {
                read += 1;
                assert_eq!(edition.catalog.inclusions().len() + edition.repeated_rows, edition.rows, "round {round}");
                assert_eq!(edition.rows, 32, "round {round}");
                assert!(edition.compare(&edition.catalog).is_nothing(), "round {round}");
            }
            Err(fault) => {
                refused += 1;
                assert!(!fault.to_string().is_empty());
            }
        }
    }
    assert!(read > 200 && refused > 200, "{read} read and {refused} refused: one side was hardly hit");
}

/// A small generator of the same numbers each time (Knuth's MMIX constants).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
