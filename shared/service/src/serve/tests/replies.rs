//! What a caller reads when something other than the executor refuses.

use metrics_exporter_prometheus::PrometheusBuilder;
use tonic_health::pb::health_client::HealthClient;

use super::*;

fn note() -> Note {
    Note::default()
}

#[tokio::test]
async fn a_panic_answers_internal_with_an_id_and_the_server_lives() {
    let served = Served::with(|_| {}).await;
    let channel = served.channel().await;
    let status = call(&channel, "/test.Room/Panic", note()).await.expect_err("it panics");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::Internal, "INTERNAL"));
    assert_eq!(status.message(), format!("internal error {}", info.metadata["id"]));
    assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
    assert_eq!(echo(&channel).await.expect("the same connection goes on"), "hello");
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_it_as_internal() {
    let served = Served::with(|_| {}).await;
    let mut grpc = tonic::client::Grpc::new(served.channel().await);
    grpc.ready().await.expect("it is connected");
    let path = PathAndQuery::from_static("/test.Room/PanicLater");
    let codec = ProstCodec::<Note, Note>::default();
    let reply = grpc.server_streaming(tonic::Request::new(note()), path, codec).await.expect("it begins well");
    let status = reply.into_inner().message().await.expect_err("the stream panics");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::Internal, "INTERNAL"));
}

#[tokio::test]
async fn an_undressed_internal_error_never_tells_its_text() {
    let served = Served::with(|_| {}).await;
    let status = call(&served.channel().await, "/test.Room/Fail", note()).await.expect_err("it fails");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(status.message(), format!("internal error {}", info.metadata["id"]));
    assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
}

#[tokio::test]
async fn any_other_undressed_error_keeps_its_code_and_text() {
    let served = Served::with(|_| {}).await;
    let status = call(&served.channel().await, "/test.Room/Refuse", note()).await.expect_err("it is refused");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "no such shelf"));
    assert_eq!(info.reason, "OUT_OF_RANGE");
}

#[tokio::test]
async fn a_message_over_the_limit_is_told_as_message_too_large() {
    let served = Served::with(|_| {}).await;
    let large = Note { service: "x".repeat(2000) };
    let (code, info) = refusal(&served.channel().await, "/test.Room/Echo", large).await;
    assert_eq!((code, info.reason.as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    assert_eq!(info.metadata["limit_bytes"], "1024");
}

#[tokio::test]
async fn a_reply_over_the_limit_is_told_in_the_trailers() {
    let served = Served::with(|_| {}).await;
    let (code, info) = refusal(&served.channel().await, "/test.Room/Bloat", note()).await;
    assert_eq!((code, info.reason.as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    assert_eq!(info.metadata["limit_bytes"], "10");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_told_as_malformed() {
    let served = Served::with(|_| {}).await;
    let garbage: Vec<u8> = vec![0xff, 0xfe];
    let (code, info) = refusal(&served.channel().await, "/test.Room/Echo", garbage).await;
    assert_eq!((code, info.reason.as_str()), (Code::InvalidArgument, "MESSAGE_MALFORMED"));
}

#[tokio::test]
async fn a_compressed_message_is_unimplemented_and_malformed() {
    let served = Served::with(|_| {}).await;
    let mut request = tonic::Request::new(note());
    request.metadata_mut().insert("grpc-encoding", "gzip".parse().expect("a value"));
    let mut grpc = tonic::client::Grpc::new(served.channel().await);
    grpc.ready().await.expect("it is connected");
    let path = PathAndQuery::from_static("/test.Room/Echo");
    let status = grpc.unary(request, path, ProstCodec::<Note, Note>::default()).await.expect_err("it is refused");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::Unimplemented, "MESSAGE_MALFORMED"));
}

#[tokio::test]
async fn a_method_nobody_offers_is_unknown() {
    let served = Served::with(|_| {}).await;
    let channel = served.channel().await;
    for path in ["/test.Room/Nothing", "/test.Nowhere/Echo"] {
        let (code, info) = refusal(&channel, path, note()).await;
        assert_eq!((code, info.reason.as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"), "{path}");
    }
}

#[tokio::test]
async fn names_that_anybody_can_make_up_are_no_series_of_their_own() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let served = Served::with(|_| {}).await;
    let channel = served.channel().await;
    echo(&channel).await.expect("an echo");
    for path in ["/made.up/One", "/test.Room/MadeUp"] {
        refusal(&channel, path, note()).await;
    }
    let text = recorder.handle().render();
    assert!(text.contains(r#"rpc_requests_total{service="test.Room",method="Echo",code="OK"} 1"#), "{text}");
    assert!(text.contains(r#"method="unknown",code="UNIMPLEMENTED"} 2"#), "{text}");
    assert!(!text.contains("made.up") && !text.contains("MadeUp"), "{text}");
}

#[tokio::test]
async fn overload_is_refused_at_once_and_health_still_answers() {
    let mut served = Served::with(|transport| transport.concurrency_max = 1).await;
    let channel = served.channel().await;
    let holding = channel.clone();
    let held = tokio::spawn(async move { call(&holding, "/test.Room/Hold", Note::default()).await });
    assert_eq!(soon("the only permit is taken", served.seen.recv()).await, Some(Seen::Entered));

    let status = soon("a refusal", echo(&channel)).await.expect_err("there is no permit left");
    let reason = status.get_details_error_info().expect("an ErrorInfo").reason;
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!((status.code(), reason.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(wait, Some(Duration::from_secs(1)));
    HealthClient::new(channel.clone()).check(note()).await.expect("health is answered under overload");

    held.abort();
    assert_eq!(soon("the caller's leaving is noticed", served.seen.recv()).await, Some(Seen::Dropped));
    echo(&channel).await.expect("the permit is free again");
}

#[tokio::test]
async fn a_call_without_end_is_cut_by_the_backstop() {
    let served = Served::with(|transport| transport.request_timeout = Duration::from_millis(100)).await;
    let channel = served.channel().await;
    let (code, info) = soon("the backstop", refusal(&channel, "/test.Room/Hold", note())).await;
    assert_eq!((code, info.reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}
