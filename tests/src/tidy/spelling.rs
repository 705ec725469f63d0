//! American spelling, in identifiers and prose.

use super::vocabulary::{Word, words};
use super::{Finding, Tree};

/// What is written wrong, and how it is written here. A star stands for any ending.
const SPELLINGS: [(&str, &str); 62] = [
    ("acknowledgement*", "acknowledgment"),
    ("ageing", "aging"),
    ("amongst", "among"),
    ("analysed", "analyzed"),
    ("analysing", "analyzing"),
    ("artefact*", "artifact"),
    ("authoris*", "authoriz"),
    ("behaviour*", "behavior"),
    ("cancelled", "canceled"),
    ("cancelling", "canceling"),
    ("capitalis*", "capitaliz"),
    ("catalogue*", "catalog"),
    ("categoris*", "categoriz"),
    ("centralis*", "centraliz"),
    ("centre*", "center"),
    ("channelled", "channeled"),
    ("cheque*", "check"),
    ("colour*", "color"),
    ("customis*", "customiz"),
    ("defence*", "defense"),
    ("enrol", "enroll"),
    ("enrolment*", "enrollment"),
    ("enrols", "enrolls"),
    ("favour*", "favor"),
    ("finalis*", "finaliz"),
    ("flavour*", "flavor"),
    ("fulfil", "fulfill"),
    ("fulfilment*", "fulfillment"),
    ("fulfils", "fulfills"),
    ("generalis*", "generaliz"),
    ("grey*", "gray"),
    ("honour*", "honor"),
    ("initialis*", "initializ"),
    ("instalment*", "installment"),
    ("judgement*", "judgment"),
    ("labelled", "labeled"),
    ("labelling", "labeling"),
    ("labour*", "labor"),
    ("licence*", "license"),
    ("materialis*", "materializ"),
    ("minimise*", "minimize"),
    ("modelled", "modeled"),
    ("modelling", "modeling"),
    ("neighbour*", "neighbor"),
    ("normalis*", "normaliz"),
    ("offence*", "offense"),
    ("optimise*", "optimize"),
    ("organis*", "organiz"),
    ("prioritis*", "prioritiz"),
    ("programme", "program"),
    ("realise*", "realize"),
    ("recognis*", "recogniz"),
    ("serialis*", "serializ"),
    ("signalled", "signaled"),
    ("signalling", "signaling"),
    ("specialis*", "specializ"),
    ("summaris*", "summariz"),
    ("synchronis*", "synchroniz"),
    ("travelled", "traveled"),
    ("utilis*", "utiliz"),
    ("visualis*", "visualiz"),
    ("whilst", "while"),
];

/// American spelling. Names that others gave stay as they are: gRPC's CANCELLED and tokio's `cancelled`.
pub fn american(tree: &Tree) -> Vec<Finding> {
    const PROSE: [&str; 8] = [".rs", ".proto", ".sql", ".md", ".toml", ".yaml", ".sh", "/run"];
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path != "tests/src/tidy/spelling.rs") {
        if !PROSE.iter().any(|ending| file.path.ends_with(ending)) {
            continue;
        }
        for word in words(&file.text) {
            if let Some((_, right)) = SPELLINGS.iter().find(|(wrong, _)| fits(&word.text, wrong) && !foreign(&word)) {
                let trouble = format!("`{}`: spell it the American way, `{right}`", word.whole);
                findings.push(Finding::new(&file.path, word.line, trouble));
            }
        }
    }
    findings
}

fn fits(word: &str, wrong: &str) -> bool {
    wrong.strip_suffix('*').map_or(word == wrong, |stem| word.starts_with(stem))
}

/// A name that gRPC or tokio gave.
fn foreign(word: &Word) -> bool {
    match word.whole.as_str() {
        "CANCELLED" | "is_cancelled" | "cancelled_owned" => true,
        "cancelled" => word.before.ends_with('.'),
        "Cancelled" => word.before == "::",
        _ => false,
    }
}
