//! What holds for the whole contract, and that the code gives the reasons that the contract documents.

use std::collections::BTreeSet;

use tests::tidy::contract::{self, Described};
use tests::tidy::{Finding, Tree, listing, none, reasons};

/// The RPCs that need no token. Whoever adds one opens a door.
const PUBLIC: [&str; 7] = [
    "/tandem.identity.v1.KeyService/GetJwks",
    "/tandem.identity.v1.RegistrationService/RegisterOrganization",
    "/tandem.identity.v1.SessionService/RefreshSession",
    "/tandem.identity.v1.SessionService/SignIn",
    "/tandem.identity.v1.WorkloadService/IssueToken",
    "/tandem.partner.v1.InvitationService/PreviewInvitation",
    "/tandem.partner.v1.PartnershipService/PreviewPartnership",
];

/// Reasons that no RPC answers: they keep a program from starting, or never leave it.
const PROCESS: [&str; 21] = [
    // The executor tries again, and says CONTENTION in the end.
    "BUSY",
    // The database.
    "DATABASE_NAME_MALFORMED",
    "DATABASE_NOT_DURABLE",
    "DATABASE_URL_UNKNOWN",
    "SCHEMA_OUT_OF_DATE",
    "SCHEMA_TOO_NEW",
    // The data directory and what stands in it.
    "DATA_DIRECTORY_EXPOSED",
    "DATA_DIRECTORY_IN_USE",
    "DATA_DIRECTORY_UNUSABLE",
    "KEYS_EXPOSED",
    "KEYS_MISSING",
    "KEYS_UNUSABLE",
    "SECRET_FILE_UNWRITABLE",
    "SERVICE_NAME_INVALID",
    // Addresses, certificates, logs.
    "ADDRESS_MALFORMED",
    "ADDRESS_UNAVAILABLE",
    "CERTIFICATE_UNREADABLE",
    "LOG_FILTER_INVALID",
    "PLAIN_TEXT_ONLY_ON_LOOPBACK",
    "TLS_AUTHORITY_MISSING",
    // The operators' tools.
    "NO_OPERATOR",
];

type Rule = fn(&Described) -> Vec<Finding>;

/// Demands that the rule finds something in a file with this body, and nothing in the contract.
fn keep(rule: Rule, broken: &[&str]) {
    for body in broken {
        let text = format!(
            "syntax = \"proto3\";\npackage tandem.partner.v1;\nimport \"tandem/common/v1/options.proto\";\n{body}\n"
        );
        let fake = Described::of(&[("proto/tandem/partner/v1/made_up.proto", &text)]);
        assert!(!rule(&fake).is_empty(), "the rule does not notice what is wrong with {body}");
    }
    none(&rule(&Described::decode(proto::CONTRACT)));
}

#[test]
fn everything_in_the_contract_has_a_comment() {
    keep(
        contract::comments,
        &[
            "service S { // A comment.\n rpc A(ARequest) returns (AResponse); }\n // M.\n message ARequest {}\n // M.\n message AResponse {}",
            "message M {}",
            "// M.\nmessage M { string f = 1; }",
            "// M.\nmessage M { message Inner {} }",
            "// E.\nenum E { E_UNSPECIFIED = 0; }",
        ],
    );
}

#[test]
fn every_rpc_has_a_request_and_a_response_of_its_own() {
    keep(
        contract::own_messages,
        &[
            "message A {} message AResponse {} service S { rpc A(A) returns (AResponse); }",
            "message ARequest {} message AResponse {}\n\
             service S { rpc A(ARequest) returns (AResponse); } service T { rpc A(ARequest) returns (AResponse); }",
        ],
    );
}

#[test]
fn every_mutation_can_be_repeated_and_tried_and_no_read_says_that_it_can() {
    const READ: &str = "{ option idempotency_level = NO_SIDE_EFFECTS; }";
    keep(
        contract::mutations,
        &[
            "message ARequest { bool validate_only = 1; } message AResponse {} service S { rpc A(ARequest) returns (AResponse); }",
            "message ARequest { string request_id = 1; } message AResponse {} service S { rpc A(ARequest) returns (AResponse); }",
            &format!(
                "message ARequest {{ string request_id = 1; }} message AResponse {{}} service S {{ rpc A(ARequest) returns (AResponse) {READ} }}"
            ),
        ],
    );
}

#[test]
fn the_exceptions_for_sessions_are_all_there() {
    let described = Described::decode(proto::CONTRACT);
    let names: BTreeSet<&str> = described.rpcs.iter().map(|rpc| rpc.descriptor.name()).collect();
    let gone: Vec<&&str> = contract::SESSIONS.iter().filter(|name| !names.contains(*name)).collect();
    assert!(gone.is_empty(), "{gone:?} are no RPCs: take them out of the exceptions");
}

#[test]
fn the_public_rpcs_are_the_committed_ones() {
    let described = Described::decode(proto::CONTRACT);
    let public: Vec<&str> =
        described.rpcs.iter().filter(|rpc| rpc.method.public).map(|rpc| rpc.method.path.as_str()).collect();
    assert_eq!(public, PUBLIC);
}

#[test]
fn every_internal_rpc_names_its_callers() {
    const INNER: &str = "message ARequest {} message AResponse {} service AInternalService";
    let caller = |name: &str| {
        format!(
            "{INNER} {{ rpc A(ARequest) returns (AResponse) {{ option (tandem.common.v1.policy) = {{internal_caller: \"{name}\"}}; }} }}"
        )
    };
    keep(
        contract::internal_callers,
        &[
            &format!("{INNER} {{ rpc A(ARequest) returns (AResponse); }}"),
            &caller("everybody"),
            &caller("partner"),
            &caller("identity").replace("AInternalService", "AService"),
        ],
    );
}

#[test]
fn every_list_can_be_paged_in_both_directions() {
    keep(
        contract::pages,
        &[
            "message ARequest { int32 page_size = 1; } message AResponse {} service S { rpc A(ARequest) returns (AResponse); }",
            "message ARequest { int32 page_size = 1; string page_token = 2; } message AResponse { string next_page_token = 1; }\n\
             service S { rpc A(ARequest) returns (AResponse); }",
        ],
    );
}

#[test]
fn streams_and_nothing_else_have_no_deadline() {
    keep(
        contract::streams,
        &[
            "message ARequest {} message AResponse {} service S { rpc A(ARequest) returns (stream AResponse); }",
            "message ARequest {} message AResponse {} service S { rpc A(ARequest) returns (AResponse)\n\
             { option (tandem.common.v1.policy) = {deadline: DEADLINE_CLASS_STREAM}; } }",
        ],
    );
}

#[test]
fn every_secret_is_marked() {
    keep(
        contract::secrets,
        &["message M { string new_password = 1; }", "message M { string refresh_token = 1 [debug_redact = false]; }"],
    );
}

#[test]
fn every_reason_that_a_comment_promises_is_documented() {
    keep(
        contract::promised_reasons,
        &["message ARequest {} message AResponse {}\n\
           service S {\n// Does.\n//\n// Reasons: NEVER_HEARD_OF.\nrpc A(ARequest) returns (AResponse); }"],
    );
}

#[test]
fn every_reason_that_the_code_gives_is_documented() {
    let workspace = Tree::workspace();
    let given = reasons::given(&workspace).len();
    assert!(given >= 100, "only {given} reasons are given: the reader has become blind");
    none(&undocumented(&workspace));
    for code in [
        "fn f() { Fault::denied(\"NEVER_HEARD_OF\", \"no\") }",
        "const R: &str = \"NEVER_HEARD_OF\"; fn f() { base::Fault::field(\"x\", R, \"no\") }",
        "fn f() { form.wrong(\"x\", if a { \"NEVER_HEARD_OF\" } else { \"REQUIRED\" }, \"no\") }",
        "fn f() -> Result<(), (&'static str, String)> { Err((\"NEVER_HEARD_OF\", g())) }",
        // A reason of identity is none of partner's.
        "fn f() { Fault::unauthenticated(\"SIGN_IN_FAILED\", \"no\") }",
    ] {
        let found = undocumented(&Tree::of(&[("services/partner/src/x.rs", code)]));
        assert_eq!(found.len(), 1, "{code}: {found:?}");
    }
}

/// Reasons that are given and stand neither in the service's own ErrorReason, nor in the common one, nor in the list of
/// those that no RPC answers.
fn undocumented(tree: &Tree) -> Vec<Finding> {
    let documented = Described::decode(proto::CONTRACT).reasons();
    let known = |path: &str, word: &str| {
        let own = path.strip_prefix("services/").and_then(|rest| rest.split('/').next()).unwrap_or("common");
        let packages = [format!("tandem.{own}.v1"), "tandem.common.v1".to_owned()];
        packages.iter().any(|package| documented.get(package).is_some_and(|words| words.contains(word)))
            || PROCESS.contains(&word)
    };
    let unknown = reasons::given(tree).into_iter().filter(|reason| !known(&reason.path, &reason.word));
    let remedy = "document it in the ErrorReason of this service, or of all";
    unknown.map(|reason| Finding::new(reason.path, reason.line, format!("{}: {remedy}", reason.word))).collect()
}

#[test]
fn every_documented_reason_is_given_somewhere() {
    let mentioned = reasons::mentioned(&Tree::workspace());
    let documented = Described::decode(proto::CONTRACT).reasons();
    let silent: Vec<&String> = documented.values().flatten().filter(|word| !mentioned.contains(*word)).collect();
    assert!(silent.is_empty(), "no code gives {silent:?}: take them out of the contract, or give them");
}

#[test]
fn the_reasons_that_no_rpc_answers_are_all_given() {
    let mentioned = reasons::mentioned(&Tree::workspace());
    let gone: Vec<&str> = PROCESS.into_iter().filter(|word| !mentioned.contains(*word)).collect();
    assert!(gone.is_empty(), "no code gives {gone:?}: take them out of the list");
}

#[test]
fn the_listing_of_the_contract_is_up_to_date() {
    let described = Described::decode(proto::CONTRACT);
    assert!(described.rpcs.len() >= 15, "the contract has only {} RPCs", described.rpcs.len());
    listing::keep("contract.txt", &contract::listing(&described));
}

#[test]
fn a_listing_that_is_out_of_date_is_noticed() {
    assert_eq!(listing::difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(listing::difference("a\nb\n", "a\nc\n").unwrap(), "line 2 is \"b\" and should be \"c\"");
    assert_eq!(listing::difference("", "a\n").unwrap(), "line 1 is nothing and should be \"a\"");
    assert!(listing::difference("a", "a\n").is_some());
}
