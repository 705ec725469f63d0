//! Both sides' lists, page by page (D-31, D-63, D-65, C17).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, reason};

use super::{Calls, Pair, calls};

/// Names that collide without regard to case, and names that a collation of words would order otherwise.
const NAMES: [&str; 7] = ["zoe", "Zoe", "Über", "ze-ta", "zeta", "alpha", "ALPHA two"];

/// What a page is asked for, whichever the list.
#[derive(Clone, Debug, Default)]
struct Wanted {
    page_size: i32,
    page_token: String,
    seek: pb::Seek,
    name_prefix: String,
}

/// A page of either list.
#[derive(Debug)]
struct Page {
    entries: Vec<pb::PartnershipEntry>,
    next: String,
    previous: String,
}

/// Which of the two lists, and whose.
struct List<'l> {
    calls: Calls,
    side: pb::PartnerKind,
    owner: &'l Registered,
}

impl List<'_> {
    async fn page(&mut self, wanted: Wanted) -> Result<Page, tonic::Status> {
        let (seek, Wanted { page_size, page_token, name_prefix, .. }) = (wanted.seek.into(), wanted);
        let token = self.owner.token();
        Ok(match self.side {
            Reseller => {
                let request = pb::ListIndirectProvidersRequest { page_size, page_token, seek, name_prefix };
                let page = self.calls.providers(token, request).await?;
                Page { entries: page.entries, next: page.next_page_token, previous: page.previous_page_token }
            }
            _ => {
                let request = pb::ListIndirectResellersRequest { page_size, page_token, seek, name_prefix };
                let page = self.calls.resellers(token, request).await?;
                Page { entries: page.entries, next: page.next_page_token, previous: page.previous_page_token }
            }
        })
    }

    async fn names(&mut self, name_prefix: &str) -> Vec<String> {
        let page = self.page(Wanted { name_prefix: name_prefix.to_owned(), ..Wanted::default() }).await.unwrap();
        page.entries.into_iter().map(|entry| entry.name).collect()
    }
}

/// A partner of that kind, with partners of the other kind under all of these names.
async fn crowd(world: &World, side: pb::PartnerKind) -> Registered {
    let owner = world.onboard(side).await;
    let other = if side == Reseller { Provider } else { Reseller };
    for name in NAMES {
        let mut request = World::onboarding(other);
        name.clone_into(&mut request.name);
        let partner = world.onboard_as(request).await;
        match side {
            Reseller => world.join(&partner, &owner).await,
            _ => world.join(&owner, &partner).await,
        };
    }
    owner
}

#[rstest]
#[tokio::test]
async fn both_lists_are_walked_in_both_directions_from_both_ends(
    #[values(Reseller, Provider)] side: pb::PartnerKind,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let owner = crowd(world, side).await;
    let mut list = List { calls: calls(world).await, side, owner: &owner };
    let whole = list.page(Wanted::default()).await.unwrap();
    assert!(whole.next.is_empty() && whole.previous.is_empty());
    let whole = whole.entries;
    assert_eq!(whole.len(), NAMES.len());
    assert!(whole.is_sorted_by_key(|entry| (entry.name.to_lowercase(), entry.partner_id.clone())), "{whole:?}");

    let mut forward = Vec::new();
    let first = Wanted { page_size: 3, seek: pb::Seek::First, ..Wanted::default() };
    let mut page = list.page(first.clone()).await.unwrap();
    assert!(page.previous.is_empty());
    let second = page.next.clone();
    loop {
        forward.extend(page.entries);
        if page.next.is_empty() {
            break;
        }
        page = list.page(Wanted { page_token: page.next, ..first.clone() }).await.unwrap();
    }
    assert_eq!(forward, whole);
    let mut backward = Vec::new();
    let mut page = list.page(Wanted { seek: pb::Seek::Last, ..first.clone() }).await.unwrap();
    assert!(page.next.is_empty());
    loop {
        backward.splice(0..0, page.entries);
        if page.previous.is_empty() {
            break;
        }
        page = list.page(Wanted { page_token: page.previous, ..first.clone() }).await.unwrap();
    }
    assert_eq!(backward, whole);

    assert_eq!(list.names("Z").await.len(), 4, "whatever the letter case");
    assert_eq!(list.names("aLPha").await, ["alpha", "ALPHA two"]);
    assert_eq!(list.names("ü").await, ["Über"]);
    assert!(list.names("z%").await.is_empty(), "a prefix is no pattern");
    assert!(list.names("eta").await.is_empty(), "nor what stands in the middle");

    let filtered = Wanted { page_token: second.clone(), name_prefix: "z".to_owned(), ..first.clone() };
    assert_eq!(reason(&list.page(filtered).await), "PAGE_TOKEN_INVALID");
    let stranger = world.onboard(side).await;
    let mut foreign = List { calls: calls(world).await, side, owner: &stranger };
    let taken = Wanted { page_token: second, ..first.clone() };
    assert_eq!(reason(&foreign.page(taken).await), "PAGE_TOKEN_INVALID", "of another organization");
    let made_up = Wanted { page_token: "bm90aGluZw".to_owned(), ..first };
    assert_eq!(reason(&list.page(made_up).await), "PAGE_TOKEN_INVALID");
}

#[rstest]
#[tokio::test]
async fn a_list_holds_active_partnerships_only(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = Pair::of(World::shared(kind).await).await;
    let mut calls = calls(pair.world).await;
    pair.invite().await;
    let (_, declined) = pair.invite().await;
    calls.decline(pair.reseller.token(), super::declining(&declined)).await.unwrap();
    let removed = pair.join().await;
    calls.remove(pair.provider.token(), super::removing(&removed)).await.unwrap();
    assert!(calls.providers_of(&pair.reseller).await.is_empty() && calls.resellers_of(&pair.provider).await.is_empty());
}
