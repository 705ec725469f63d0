//! What holds for every RPC of the contract; an RPC that nobody serves is a failure.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rstest::rstest;
use service::contract::{Contract, Method};
use testkit::database::Kind;
use tests::world::{Refused, World, authorized, connect};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// Calls a method with an empty request; whatever is answered is read as a message without fields.
async fn call_empty(address: SocketAddr, path: &str, request: Request<()>) -> Result<(), Status> {
    let mut client = Grpc::new(connect(address).await);
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(path).unwrap();
    client.unary(request, path, ProstCodec::<(), ()>::default()).await.map(tonic::Response::into_inner)
}

/// Where a method is served: its own service, or all three for what every service has.
fn places(world: &World, method: &Method) -> Vec<SocketAddr> {
    let all = ["identity", "licensing", "partner"];
    let of = |n: usize| match method.is_internal() {
        true => world.addresses[n].internal,
        false => world.addresses[n].public,
    };
    let package = method.path.trim_start_matches("/tandem.").split('.').next().unwrap().to_owned();
    let owners: Vec<usize> = match all.iter().position(|name| *name == package) {
        Some(n) => vec![n],
        None => vec![0, 1, 2],
    };
    owners.into_iter().map(of).collect()
}

fn methods() -> Vec<Method> {
    let contract = Contract::decode(proto::CONTRACT).unwrap();
    let methods: Vec<Method> = contract.methods().cloned().collect();
    assert!(methods.len() >= 15, "the contract has only {} methods", methods.len());
    methods
}

#[rstest]
#[tokio::test]
async fn without_a_token_every_method_that_is_not_public_is_unauthenticated(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    for method in methods().iter().filter(|method| !method.public) {
        for address in places(world, method) {
            let refused = Refused::by(call_empty(address, &method.path, Request::new(())).await);
            assert_eq!((refused.0, refused.1.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"), "{}", method.path);
        }
    }
}

#[rstest]
#[tokio::test]
async fn every_method_is_served_where_it_belongs_and_nowhere_else(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    for method in methods() {
        let home: BTreeSet<SocketAddr> = places(world, &method).into_iter().collect();
        for addresses in &world.addresses {
            for address in [addresses.public, addresses.internal] {
                let code = call_empty(address, &method.path, Request::new(()))
                    .await
                    .map_or_else(|status| status.code(), |()| Code::Ok);
                // The key set is the one thing that the services read of each other without a token.
                let keys = method.path.ends_with("/GetJwks") && address == world.addresses[0].internal;
                let served = home.contains(&address) || keys;
                assert_eq!(code != Code::Unimplemented, served, "{} at {address}: {code:?}", method.path);
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn an_access_token_opens_no_internal_method(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let token = world.register().await.session.access_token;
    for method in methods().iter().filter(|method| method.is_internal()) {
        for address in places(world, method) {
            let refused = call_empty(address, &method.path, authorized(&token, ())).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{}", method.path);
        }
    }
}

#[rstest]
#[tokio::test]
async fn an_empty_request_is_refused_with_a_documented_reason_or_answered_and_never_an_internal_error(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let documented = documented_reasons();
    for method in methods().iter().filter(|method| !method.is_internal()) {
        let token = world.register().await.session.access_token;
        for address in places(world, method) {
            let Err(status) = call_empty(address, &method.path, authorized(&token, ())).await else { continue };
            let refused = Refused::of(&status);
            assert_ne!(refused.code, Code::Internal, "{}: {status:?}", method.path);
            assert!(documented.contains(&refused.reason), "{}: {} is not documented", method.path, refused.reason);
        }
    }
}

/// Every value of every ErrorReason of the contract, without its prefix.
fn documented_reasons() -> BTreeSet<String> {
    let pool = prost_reflect::DescriptorPool::decode(proto::CONTRACT).unwrap();
    let enums = pool.all_enums().filter(|each| each.name() == "ErrorReason");
    let values = enums.flat_map(|each| each.values().map(|value| value.name().to_owned()).collect::<Vec<_>>());
    values.map(|name| name.trim_start_matches("ERROR_REASON_").to_owned()).collect()
}
