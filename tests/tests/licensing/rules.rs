//! Product rules: operators set them, editions leave them alone, and who sells the product reads them.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::product_rules::{AssignmentAuthority, LicenseGroup, TargetType};
use proto::licensing::v1::{
    GetProductRequest, ImportProductsRequest, ProductRules, ServicePlanDependency, ServicePlanExclusion,
    SetProductRulesRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{HEADER, World, authorized, fresh, wrong_fields};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{detail, outcome, reason};

/// The catalog, with requests unwrapped.
pub(crate) struct Catalog(CatalogServiceClient<Channel>);

impl Catalog {
    pub(crate) async fn of(world: &World) -> Self {
        Self(CatalogServiceClient::new(world.to_licensing().await))
    }

    pub(crate) async fn set(&mut self, token: &str, request: SetProductRulesRequest) -> Result<ProductRules, Status> {
        Ok(self.0.set_product_rules(authorized(token, request)).await?.into_inner().rules.unwrap())
    }

    async fn rules(&mut self, token: &str, product_id: &str) -> ProductRules {
        let request = GetProductRequest { product_id: product_id.to_owned() };
        self.0.get_product(authorized(token, request)).await.unwrap().into_inner().rules.unwrap()
    }

    /// A service plan of a product.
    pub(crate) async fn plan(&mut self, token: &str, product_id: &str) -> String {
        let request = GetProductRequest { product_id: product_id.to_owned() };
        let product = self.0.get_product(authorized(token, request)).await.unwrap().into_inner();
        product.service_plans[0].service_plan_id.clone()
    }

    async fn import(&mut self, token: &str, content: &str) {
        let request = ImportProductsRequest { content: content.into(), request_id: fresh(), validate_only: false };
        self.0.import_products(authorized(token, request)).await.unwrap();
    }
}

/// A request that sets these rules.
pub(crate) fn setting(product_id: &str, rules: ProductRules) -> SetProductRulesRequest {
    SetProductRulesRequest {
        product_id: product_id.to_owned(),
        rules: Some(rules),
        etag: String::new(),
        request_id: fresh(),
        validate_only: false,
    }
}

/// A plan that needs one of others.
pub(crate) fn needs(plan: &str, others: &[&str]) -> ServicePlanDependency {
    let any_of_service_plan_ids = others.iter().map(|plan| (*plan).to_owned()).collect();
    ServicePlanDependency { service_plan_id: plan.to_owned(), any_of_service_plan_ids }
}

/// A plan that does not go together with another.
pub(crate) fn excludes(plan: &str, other: &str) -> ServicePlanExclusion {
    ServicePlanExclusion { service_plan_id: plan.to_owned(), other_service_plan_id: other.to_owned() }
}

#[rstest]
#[tokio::test]
async fn rules_are_set_under_their_etag_shown_with_the_product_and_survive_every_edition(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut catalog = Catalog::of(world).await;
    let [product, plan, other, third] = std::array::from_fn(|_| fresh());
    let edition = |name: &str| {
        format!("{HEADER}{name},H,{product},P,{plan},P\n{name},H,{product},Q,{other},Q\nTide,T,{third},R,{third},R\n")
    };
    catalog.import(&operator, &edition("Harbor")).await;
    let unset = catalog.rules(&operator, &product).await;
    assert_eq!(
        (unset.target_type(), unset.license_group(), unset.assignment_authority()),
        (TargetType::User, LicenseGroup::First, AssignmentAuthority::Partner)
    );
    assert_eq!((unset.dependencies.len(), unset.update_time), (0, None));

    let wanted = ProductRules {
        target_type: TargetType::Tenant.into(),
        license_group: LicenseGroup::Second.into(),
        assignment_authority: AssignmentAuthority::Publisher.into(),
        dependencies: vec![needs(&plan, &[&third, &other])],
        exclusions: vec![excludes(&other, &third)],
        allowed_usage_locations: vec!["de".to_owned(), "AT".to_owned()],
        prohibited_usage_locations: vec!["CH".to_owned()],
        ..ProductRules::default()
    };
    let request = SetProductRulesRequest { etag: unset.etag.clone(), ..setting(&product, wanted.clone()) };
    let dry = SetProductRulesRequest { validate_only: true, ..request.clone() };
    let would = catalog.set(&operator, dry).await.unwrap();
    assert_eq!(catalog.rules(&operator, &product).await, unset, "a dry run changes nothing");
    let set = catalog.set(&operator, request.clone()).await.unwrap();
    assert_eq!(
        ProductRules { etag: String::new(), update_time: None, ..set.clone() },
        ProductRules { update_time: None, ..would }
    );
    assert_eq!(set.allowed_usage_locations, ["AT", "DE"]);
    assert_eq!(set.dependencies[0].any_of_service_plan_ids.len(), 2);
    assert_eq!(set.exclusions, wanted.exclusions);
    assert_eq!(catalog.rules(&operator, &product).await, set);
    assert_eq!(catalog.set(&operator, request.clone()).await.unwrap(), set, "a repeated request is answered again");
    let same = setting(&product, wanted.clone());
    assert_eq!(catalog.set(&operator, same).await.unwrap(), set, "the same again changes nothing");
    let late = SetProductRulesRequest { request_id: fresh(), ..request };
    assert_eq!(outcome(&catalog.set(&operator, late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));

    catalog.import(&operator, &edition("Harbor One")).await;
    assert_eq!(catalog.rules(&operator, &product).await, set, "an edition leaves the rules alone");
    let fewer = ProductRules { dependencies: Vec::new(), ..ProductRules::default() };
    let fewer = catalog.set(&operator, setting(&product, fewer)).await.unwrap();
    assert_eq!((fewer.dependencies.len(), fewer.exclusions.len(), fewer.target_type()), (0, 0, TargetType::User));

    let request = ListAuditEntriesRequest { action_prefix: "ProductRulesSet".to_owned(), ..Default::default() };
    let mut audit = AuditServiceClient::new(world.to_licensing().await);
    let entries = audit.list_audit_entries(authorized(&operator, request)).await.unwrap().into_inner().entries;
    let entries: Vec<_> = entries.into_iter().filter(|entry| entry.target_id == product).collect();
    assert_eq!(entries.len(), 2, "what changed nothing is not journaled");
    let authority = entries[1].changes.iter().find(|change| change.field == "assignment_authority").unwrap();
    assert_eq!((authority.before.as_str(), authority.after.as_str()), ("PARTNER", "PUBLISHER"));
}

#[rstest]
#[tokio::test]
async fn rules_that_cannot_be_are_refused_with_everything_that_is_wrong(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut catalog = Catalog::of(world).await;
    let product = world.product("Harbor Mail").await;
    let before = catalog.rules(&operator, &product).await;
    let wrong = ProductRules {
        target_type: 9,
        license_group: 9,
        assignment_authority: 9,
        dependencies: vec![needs("x", &[]), needs(&fresh(), &["y"])],
        exclusions: vec![excludes(&product, &product)],
        allowed_usage_locations: vec!["DE".to_owned(), "UK".to_owned()],
        prohibited_usage_locations: vec!["DE".to_owned()],
        ..ProductRules::default()
    };
    let fields = wrong_fields(catalog.set(&operator, setting(&product, wrong)).await);
    assert_eq!(
        fields,
        [
            "rules.target_type",
            "rules.license_group",
            "rules.assignment_authority",
            "rules.dependencies[0].service_plan_id",
            "rules.dependencies[0].any_of_service_plan_ids",
            "rules.dependencies[1].any_of_service_plan_ids[0]",
            "rules.exclusions[0]",
            "rules.allowed_usage_locations[1]",
            "rules.prohibited_usage_locations",
        ]
    );
    let strange = ProductRules {
        dependencies: vec![needs(&fresh(), &[&fresh()])],
        exclusions: vec![excludes(&fresh(), &fresh())],
        ..ProductRules::default()
    };
    let refused = catalog.set(&operator, setting(&product, strange)).await;
    assert_eq!(outcome(&refused), (Code::InvalidArgument, "SERVICE_PLAN_UNKNOWN".to_owned()));
    assert_eq!(wrong_fields(refused).len(), 4);
    let one = fresh();
    let plans: Vec<&str> = vec![&one; 21];
    for (many, field, limit) in [
        (
            ProductRules { dependencies: vec![needs(&one, &[&one]); 51], ..Default::default() },
            "dependencies",
            "product_dependencies_max",
        ),
        (
            ProductRules { dependencies: vec![needs(&one, &plans)], ..Default::default() },
            "dependencies[0].any_of_service_plan_ids",
            "dependency_service_plans_max",
        ),
        (
            ProductRules { exclusions: vec![excludes(&fresh(), &fresh()); 201], ..Default::default() },
            "exclusions",
            "product_exclusions_max",
        ),
        (
            ProductRules { allowed_usage_locations: vec!["DE".to_owned(); 251], ..Default::default() },
            "allowed_usage_locations",
            "product_locations_max",
        ),
    ] {
        let refused = catalog.set(&operator, setting(&product, many)).await;
        assert_eq!(reason(&refused), "TOO_LONG");
        assert_eq!(detail(&refused, "limit").as_deref(), Some(limit));
        assert_eq!(wrong_fields(refused), [format!("rules.{field}")]);
    }
    let refused = catalog.set(&operator, setting(&fresh(), ProductRules::default())).await;
    assert_eq!(outcome(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    let partner = world.register().await;
    let refused = catalog.set(&partner.session.access_token, setting(&product, ProductRules::default())).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    assert_eq!(catalog.rules(&operator, &product).await, before, "nothing of it was taken");
}
