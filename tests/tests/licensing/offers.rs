//! Offers: operators make them, partners read them.

use proto::identity::v1::Role;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::{GetOfferRequest, LimitUnit, ListOffersRequest, Offer, UpsertOfferRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, dump, fresh};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{detail, outcome, reason};

/// The service, with requests unwrapped.
struct Offers(CatalogServiceClient<Channel>);

impl Offers {
    async fn of(world: &World) -> Self {
        Self(CatalogServiceClient::new(world.to_licensing().await))
    }

    async fn upsert(&mut self, token: &str, request: UpsertOfferRequest) -> Result<Offer, Status> {
        Ok(self.0.upsert_offer(authorized(token, request)).await?.into_inner().offer.unwrap())
    }

    async fn get(&mut self, token: &str, offer_id: &str) -> Result<Offer, Status> {
        let request = GetOfferRequest { offer_id: offer_id.to_owned() };
        Ok(self.0.get_offer(authorized(token, request)).await?.into_inner().offer.unwrap())
    }

    async fn names(&mut self, token: &str, request: ListOffersRequest) -> Vec<String> {
        let page = self.0.list_offers(authorized(token, request)).await.unwrap().into_inner();
        page.offers.into_iter().map(|offer| offer.name).collect()
    }
}

#[rstest]
#[tokio::test]
async fn an_offer_is_made_once_and_changed_under_its_etag(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let product = world.product("Harbor Mail").await;
    let mut offers = Offers::of(world).await;
    let mut request =
        UpsertOfferRequest { countries: vec!["de".to_owned(), "AT".to_owned()], ..World::offer_of(&product) };

    let dry = UpsertOfferRequest { validate_only: true, ..request.clone() };
    let dry = offers.upsert(&operator, dry).await.unwrap();
    assert_eq!(
        (dry.etag.as_str(), reason(&offers.get(&operator, &request.offer_id).await).as_str()),
        ("", "NOT_FOUND")
    );

    let made = offers.upsert(&operator, request.clone()).await.unwrap();
    assert_eq!(made.countries, ["AT", "DE"]);
    assert_eq!(
        Offer { etag: String::new(), create_time: None, update_time: None, ..made.clone() },
        Offer { create_time: None, update_time: None, ..dry }
    );
    assert_eq!(offers.upsert(&operator, request.clone()).await.unwrap(), made, "a repeated request is answered again");
    request.request_id = fresh();
    assert_eq!(offers.upsert(&operator, request.clone()).await.unwrap(), made, "the same again changes nothing");

    let renamed = UpsertOfferRequest {
        name: "Harbor Mail for Everybody".to_owned(),
        countries: Vec::new(),
        available: false,
        etag: made.etag.clone(),
        request_id: fresh(),
        ..request.clone()
    };
    let changed = offers.upsert(&operator, renamed.clone()).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.countries.len(), changed.available),
        ("Harbor Mail for Everybody", 0, false)
    );
    assert_eq!(offers.get(&operator, &request.offer_id).await.unwrap(), changed);
    let late = UpsertOfferRequest { request_id: fresh(), ..renamed };
    assert_eq!(outcome(&offers.upsert(&operator, late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let other = UpsertOfferRequest { product_id: world.product("Tide").await, request_id: fresh(), ..request.clone() };
    let fixed = offers.upsert(&operator, other).await;
    assert_eq!(outcome(&fixed), (Code::FailedPrecondition, "OFFER_PRODUCT_FIXED".to_owned()));
    assert_eq!(detail(&fixed, "product_id").unwrap(), product);
    let unknown = UpsertOfferRequest { offer_id: fresh(), product_id: fresh(), request_id: fresh(), ..request.clone() };
    assert_eq!(reason(&offers.upsert(&operator, unknown).await), "NOT_FOUND");
    let absent = UpsertOfferRequest { offer_id: fresh(), etag: "1".to_owned(), request_id: fresh(), ..request };
    assert_eq!(reason(&offers.upsert(&operator, absent).await), "ETAG_MISMATCH");
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_an_offer_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let mut offers = Offers::of(world).await;
    let good = World::offer_of(&fresh());
    for (request, expected) in [
        (UpsertOfferRequest { name: String::new(), ..good.clone() }, "REQUIRED"),
        (UpsertOfferRequest { minimum_quantity: 0, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { maximum_quantity: 1_000_001, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { minimum_quantity: 9, maximum_quantity: 8, ..good.clone() }, "OUT_OF_RANGE"),
        (UpsertOfferRequest { countries: vec!["UK".to_owned()], ..good.clone() }, "COUNTRY_UNKNOWN"),
        (UpsertOfferRequest { countries: vec!["DE".to_owned(); 251], ..good.clone() }, "TOO_LONG"),
        (
            UpsertOfferRequest { countries: vec!["D".to_owned()], name: String::new(), ..good.clone() },
            "INVALID_ARGUMENT",
        ),
    ] {
        let refused = offers.upsert(&operator, request).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, expected.to_owned()));
    }

    let counted = |limit| UpsertOfferRequest { limit_unit: LimitUnit::Lifetime.into(), limit, ..good.clone() };
    let parents = (0..101).map(|_| fresh()).collect();
    for (request, limit) in [
        (UpsertOfferRequest { maximum_quantity: 1_000_001, ..good.clone() }, Some("quantity_max")),
        (UpsertOfferRequest { minimum_quantity: 9, maximum_quantity: 8, ..good.clone() }, None),
        (UpsertOfferRequest { countries: vec!["DE".to_owned(); 251], ..good.clone() }, Some("offer_countries_max")),
        (UpsertOfferRequest { parent_offer_ids: parents, ..good.clone() }, Some("offer_parents_max")),
        (counted(10_001), Some("offer_limit_max")),
        (counted(0), None),
    ] {
        let refused = offers.upsert(&operator, request).await;
        assert_eq!(outcome(&refused).0, Code::InvalidArgument);
        assert_eq!(detail(&refused, "limit").as_deref(), limit);
    }
    let page = ListOffersRequest { page_size: 1_001, ..Default::default() };
    let refused = offers.0.list_offers(authorized(&operator, page)).await;
    assert_eq!(detail(&refused, "limit").as_deref(), Some("page_size_max"));
}

#[rstest]
#[tokio::test]
async fn offers_are_found_by_product_country_and_availability(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let operator = world.operator().await;
    let product = world.product("Harbor Mail").await;
    for (name, countries, available) in
        [("everywhere", &[][..], true), ("Germany", &["DE"], true), ("gone", &["DE", "FR"], false)]
    {
        let countries = countries.iter().map(|code: &&str| (*code).to_owned()).collect();
        let offer = UpsertOfferRequest { name: name.to_owned(), countries, available, ..World::offer_of(&product) };
        world.offer(offer).await;
    }
    let registered = world.register().await;
    let seller = world.hire(&registered, &[Role::SalesAgent]).await.session.access_token;
    let mut offers = Offers::of(world).await;
    let all = ListOffersRequest { product_id: product, ..Default::default() };
    assert_eq!(offers.names(&seller, all.clone()).await, ["everywhere", "Germany", "gone"]);
    let french = ListOffersRequest { country: "fr".to_owned(), ..all.clone() };
    assert_eq!(offers.names(&seller, french.clone()).await, ["everywhere", "gone"]);
    assert_eq!(offers.names(&seller, ListOffersRequest { available_only: true, ..french }).await, ["everywhere"]);
    let named = ListOffersRequest { name_prefix: "G".to_owned(), ..all };
    assert_eq!(offers.names(&operator, named).await, ["Germany", "gone"]);

    let refused = offers.upsert(&seller, World::offer_of(&fresh())).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    let helper = world.hire(&registered, &[Role::HelpdeskAgent]).await.session.access_token;
    assert_eq!(reason(&offers.get(&helper, &fresh()).await), "ROLE_NOT_ALLOWED");
    assert_eq!(reason(&offers.get(&seller, &fresh()).await), "NOT_FOUND");
    let before = dump(&world.licensing.db().await).await;
    assert!(!before.rows("offers").is_empty());
}
