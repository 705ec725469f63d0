//! Calls as they stand on the wire: a method is told by its path, and a message is its bytes.

use tests::harness::bytes::Bytes;
use tests::world::authorized;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::contract::Rpc;

/// Calls the method; of a stream the first message is the answer.
pub(super) async fn call(
    channel: &Channel,
    rpc: &Rpc,
    token: Option<&str>,
    message: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = rpc.method.path.parse().unwrap();
    let request = token.map_or_else(|| Request::new(message.clone()), |token| authorized(token, message.clone()));
    if rpc.descriptor.is_server_streaming() {
        let mut answers = client.server_streaming(request, path, Bytes).await?.into_inner();
        return answers.message().await?.ok_or_else(|| Status::unknown("the stream ended before it began"));
    }
    client.unary(request, path, Bytes).await.map(tonic::Response::into_inner)
}
