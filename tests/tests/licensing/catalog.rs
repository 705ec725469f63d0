//! The catalog: what the vendor publishes is taken over, and read by those who sell it.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::Role;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::list_products_request::Seek;
use proto::licensing::v1::{
    GetProductRequest, GetProductResponse, ImportProductsRequest, ImportProductsResponse, ListProductsRequest,
    ListProductsResponse,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{HEADER, World, authorized, dump, fresh};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::races::waiting;
use super::{outcome, reason};

const SMALL: &[u8] = include_bytes!("../../../services/licensing/catalog/small.csv");

/// The service, with requests unwrapped.
struct Products(CatalogServiceClient<Channel>);

impl Products {
    async fn of(world: &World) -> Self {
        Self(CatalogServiceClient::new(world.to_licensing().await))
    }

    async fn import(&mut self, token: &str, content: &[u8]) -> Result<ImportProductsResponse, Status> {
        self.import_as(token, ImportProductsRequest { content: content.to_vec(), ..Default::default() }).await
    }

    async fn import_as(
        &mut self,
        token: &str,
        request: ImportProductsRequest,
    ) -> Result<ImportProductsResponse, Status> {
        self.0.import_products(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn list(&mut self, token: &str, request: ListProductsRequest) -> Result<ListProductsResponse, Status> {
        self.0.list_products(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn get(&mut self, token: &str, product_id: &str) -> Result<GetProductResponse, Status> {
        let request = GetProductRequest { product_id: product_id.to_owned() };
        self.0.get_product(authorized(token, request)).await.map(tonic::Response::into_inner)
    }
}

#[tokio::test]
async fn of_two_imports_at_once_the_second_is_compared_with_what_the_first_left() {
    let world = World::start(Kind::Postgres).await;
    let operator = world.operator().await;
    let database = world.licensing.db().await;
    // Whoever writes a product waits, and whoever reads one does not.
    let mut held = database.write().await.unwrap();
    held.sql("LOCK TABLE products IN SHARE MODE").execute().await.unwrap();
    let mut tasks = Vec::new();
    for waiters in [1, 2] {
        let (mut products, operator) = (Products::of(&world).await, operator.clone());
        tasks.push(tokio::spawn(async move { products.import(&operator, SMALL).await }));
        waiting(&database, waiters).await;
    }
    held.rollback().await;
    let mut added = Vec::new();
    for task in tasks {
        added.push(task.await.unwrap().unwrap().added_product_ids.len());
    }
    assert!(added[0] > 0 && added[1] == 0, "{added:?}");
}

#[rstest]
#[tokio::test]
async fn an_edition_is_taken_over_the_first_row_wins_and_the_same_file_again_changes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let mut products = Products::of(&world).await;

    let mut request = ImportProductsRequest { content: SMALL.to_vec(), request_id: fresh(), validate_only: true };
    let before = dump(&world.licensing.db().await).await;
    let dry = products.import_as(&operator, request.clone()).await.unwrap();
    let changed = dump(&world.licensing.db().await).await;
    assert_eq!(before.changed(&changed), Vec::<&str>::new(), "a dry run writes nothing");
    request.validate_only = false;
    let first = products.import_as(&operator, request.clone()).await.unwrap();
    assert_eq!(dry, first, "a dry run tells what the real one does");
    assert!(first.added_product_ids.len() >= 10 && first.added_plans > 10);
    assert!(first.conflict_count > 0 && first.repeated_rows > 0);
    let conflict = &first.conflicts[0];
    assert!(conflict.line > 1 && conflict.kept != conflict.ignored);
    assert_eq!(products.import_as(&operator, request).await.unwrap(), first, "a repeated request is answered again");

    let again = products.import(&operator, SMALL).await.unwrap();
    assert_eq!((again.added_product_ids.len(), again.changed_product_ids.len()), (0, 0));
    assert_eq!((again.added_plans, again.changed_plans, again.missing_plans), (0, 0, 0));
    assert_eq!(again.unchanged_products as usize, first.added_product_ids.len());
    let shown = products.get(&operator, &conflict.product_id).await.unwrap();
    assert!(!format!("{shown:?}").contains(&conflict.ignored), "the first row won");

    let journal = ListAuditEntriesRequest { action_prefix: "ProductsImported".to_owned(), ..Default::default() };
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let entries = audit.list_audit_entries(authorized(&operator, journal)).await.unwrap().into_inner().entries;
    assert_eq!(entries.len(), 1, "what changed nothing is not journaled");
}

#[rstest]
#[tokio::test]
async fn a_newer_edition_renames_and_adds_and_deletes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let mut products = Products::of(&world).await;
    let [kept, gone, new, plan, other] = std::array::from_fn(|_| fresh());
    let older = format!("{HEADER}Harbor,H,{kept},P,{plan},Plan\nTide,T,{gone},P,{plan},Plan\n");
    products.import(&operator, older.as_bytes()).await.unwrap();
    let newer = format!(
        "{HEADER}Harbor One,H,{kept},P,{plan},Plan A\nHarbor One,H,{kept},Q,{other},B\nWave,W,{new},P,{plan},P\n"
    );
    let report = products.import(&operator, newer.as_bytes()).await.unwrap();
    assert_eq!(report.added_product_ids, [new.as_str()]);
    assert_eq!(report.changed_product_ids, [kept.as_str()]);
    assert_eq!(report.missing_product_ids, [gone.as_str()]);
    assert_eq!((report.added_plans, report.changed_plans, report.missing_plans), (2, 1, 1));
    let shown = products.get(&operator, &kept).await.unwrap();
    let names: Vec<&str> = shown.service_plans.iter().map(|plan| plan.display_name.as_str()).collect();
    assert_eq!(shown.product.unwrap().name, "Harbor One");
    assert!(names.contains(&"Plan A") && names.contains(&"B") && names.len() == 2, "{names:?}");
    assert_eq!(products.get(&operator, &gone).await.unwrap().product.unwrap().name, "Tide", "what is missing stays");
}

#[rstest]
#[tokio::test]
async fn a_file_with_a_row_that_cannot_be_trusted_is_refused_as_a_whole_with_every_such_row(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut products = Products::of(world).await;
    let [sound, plan] = [fresh(), fresh()];
    let broken = format!("{HEADER}Harbor,H,{sound},P,{plan},Plan\nHarbor,H,nothing,P,{plan},Plan\nHarbor,H\n");
    let refused = products.import(&operator, broken.as_bytes()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let told = refused.get_details_bad_request().unwrap().field_violations;
    let lines: Vec<&str> = told.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(lines, ["content:3", "content:4"]);
    assert_eq!(refused.get_details_error_info().unwrap().metadata["violation_count"], "2");
    assert_eq!(reason(&products.get(&operator, &sound).await), "NOT_FOUND", "nothing of it was taken");
    for (content, expected) in [
        (&b"\xFF\xFEH\0"[..], "NOT_UTF8"),
        (b"a,b\n", "WRONG_HEADER"),
        (HEADER.as_bytes(), "NO_ROWS"),
        (format!("{HEADER}\"Harbor").as_bytes(), "UNBALANCED_QUOTES"),
        (format!("{HEADER}Harbor,H,nothing,P,{plan},Plan\n").as_bytes(), "MALFORMED_GUID"),
    ] {
        let refused = products.import(&operator, content).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, expected.to_owned()));
    }
    let large = vec![b'x'; 5 << 20];
    assert_eq!(products.import(&operator, &large).await.unwrap_err().code(), Code::ResourceExhausted);
}

/// Below the folder that holds the workspace; the vendor's file is not ours to commit.
const PUBLISHED: &str = "../../shared/data/product-names-and-service-plan-identifiers.csv";

/// The published file. Where tests are run for others it must be there; elsewhere its absence is said and tolerated.
#[expect(clippy::print_stdout, reason = "what was not tested is said")]
pub(crate) fn published() -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUBLISHED);
    match std::fs::read(&path) {
        Ok(content) => Some(content),
        Err(error) => {
            let tolerated = error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none();
            assert!(tolerated, "the published file cannot be read from {}: {error}", path.display());
            println!("the published file was not there and nothing was imported: {}", path.display());
            None
        }
    }
}

#[rstest]
#[tokio::test]
async fn the_published_list_is_imported_in_one_call(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(content) = published() else { return };
    let world = World::start(kind).await;
    let operator = world.operator().await;
    let mut products = Products::of(&world).await;
    let begun = Instant::now();
    let report = products.import(&operator, &content).await.unwrap();
    println!("the published file was imported on {kind:?} in {:?}", begun.elapsed());
    assert_eq!((report.added_product_ids.len(), report.added_plans, report.rows), (569, 5_448, 5_457));
    let lines: Vec<i32> = report.conflicts.iter().map(|conflict| conflict.line).collect();
    assert_eq!(lines, [3_312, 5_219, 5_220, 5_221, 5_221, 5_222]);
    let again = products.import(&operator, &content).await.unwrap();
    assert_eq!((again.unchanged_products, again.added_plans, again.changed_plans), (569, 0, 0));
    // From the first page to the last, and back.
    let (mut forward, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListProductsRequest { page_size: 200, page_token: token, ..Default::default() };
        let page = products.list(&operator, request).await.unwrap();
        forward.extend(page.products.into_iter().map(|product| product.product_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(forward.len(), 569);
    let (mut backward, mut token) = (Vec::new(), String::new());
    loop {
        let seek = Seek::Last.into();
        let request = ListProductsRequest { page_size: 200, page_token: token, seek, ..Default::default() };
        let page = products.list(&operator, request).await.unwrap();
        backward.extend(page.products.into_iter().rev().map(|product| product.product_id));
        token = page.previous_page_token;
        if token.is_empty() {
            break;
        }
    }
    backward.reverse();
    assert_eq!(forward, backward);
}

#[rstest]
#[case(&[Role::GlobalAdmin], "OK")]
#[case(&[Role::UserManagementAdmin], "ROLE_NOT_ALLOWED")]
#[case(&[Role::BillingAdmin], "OK")]
#[case(&[Role::AdminAgent], "OK")]
#[case(&[Role::SalesAgent], "OK")]
#[case(&[Role::HelpdeskAgent], "ROLE_NOT_ALLOWED")]
#[tokio::test]
async fn the_catalog_is_read_by_those_who_sell_and_written_by_operators(
    #[case] roles: &[Role],
    #[case] read: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let product = world.product("Harbor Mail").await;
    let registered = world.register().await;
    let person = world.hire(&registered, roles).await;
    let token = &person.session.access_token;
    let mut products = Products::of(world).await;
    assert_eq!(reason(&products.get(token, &product).await), read);
    assert_eq!(reason(&products.list(token, ListProductsRequest::default()).await), read);
    let refused = products.import(token, SMALL).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    if read == "OK" {
        assert_eq!(reason(&products.get(token, &fresh()).await), "NOT_FOUND");
    }
}

#[rstest]
#[tokio::test]
async fn products_are_found_by_the_beginning_of_their_name(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let unique = fresh();
    for name in ["One", "two", "Three"] {
        world.product(&format!("{unique} {name}")).await;
    }
    let operator = world.operator().await;
    let mut products = Products::of(world).await;
    let request = ListProductsRequest { name_prefix: unique.to_uppercase(), page_size: 2, ..Default::default() };
    let page = products.list(&operator, request.clone()).await.unwrap();
    let names: Vec<&str> = page.products.iter().map(|product| product.name.as_str()).collect();
    assert_eq!(names, [format!("{unique} One"), format!("{unique} Three")]);
    let rest = ListProductsRequest { page_token: page.next_page_token.clone(), ..request };
    let rest = products.list(&operator, rest).await.unwrap();
    assert_eq!(rest.products[0].name, format!("{unique} two"));
    assert_eq!((rest.products.len(), rest.next_page_token.as_str()), (1, ""));
    let other = ListProductsRequest { page_token: page.next_page_token, ..Default::default() };
    assert_eq!(reason(&products.list(&operator, other).await), "PAGE_TOKEN_INVALID");
}
