//! A small server of health and reflection, and the commands a reader of the README would type at it.

use std::collections::HashMap;
use std::io::{self, Write};

use prost::Message;
use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::prost_types::{Any, FileDescriptorSet, SourceCodeInfo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Code, Request, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_types::{ErrorDetails, StatusExt};

use super::{Terminal, run};

/// What a command left behind.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

async fn grpcurl(arguments: &[&str], input: &str) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(|word| (*word).to_owned());
    let mut input = input.as_bytes();
    let code = run(arguments, &mut Terminal { input: &mut input, out: &mut out, err: &mut err }).await;
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// Health (answering a caller who sends `refuse` with a detailed refusal) and reflection, on a free port.
async fn server() -> (String, HealthReporter) {
    let reporter = HealthReporter::new();
    let health = HealthService::from_health_reporter(reporter.clone());
    let health = HealthServer::with_interceptor(health, |request: Request<()>| {
        refusal(request.metadata()).map_or(Ok(request), Err)
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_file_descriptor_set(documented_health())
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let server = Server::builder().add_service(health).add_service(reflection);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (target, reporter)
}

/// The descriptors of health with a comment on its first method, as a file compiled with its comments has.
fn documented_health() -> FileDescriptorSet {
    let mut files = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    let comment = Location {
        path: vec![6, 0, 2, 0],
        leading_comments: Some(" Tells how it is.\n\n Once.\n".to_owned()),
        ..Location::default()
    };
    files.file[0].source_code_info = Some(SourceCodeInfo { location: vec![comment] });
    files
}

fn refusal(metadata: &MetadataMap) -> Option<Status> {
    match metadata.get("refuse")?.to_str().unwrap() {
        "known" => {
            let links = HashMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
            let mut details = ErrorDetails::with_error_info("ROLE_NOT_ALLOWED", "tandem", links);
            details.add_bad_request_violation("users[3].email", "not an address");
            Some(Status::with_error_details(Code::PermissionDenied, "not you", details))
        }
        "unknown" => {
            let any = Any { type_url: "type.googleapis.com/nobody.Knows".to_owned(), value: vec![1, 2, 3] };
            let status = tonic_types::Status { code: 9, message: String::new(), details: vec![any] };
            Some(Status::with_details(Code::FailedPrecondition, "not now", status.encode_to_vec().into()))
        }
        other => panic!("{other} is no way to be refused"),
    }
}

#[tokio::test]
async fn services_are_listed_in_order() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", &target, "list"], "").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "grpc.health.v1.Health\ngrpc.reflection.v1.ServerReflection\n");
}

#[tokio::test]
async fn the_methods_of_a_service_are_listed_by_full_name() {
    let (target, _) = server().await;
    let ran = grpcurl(&["--plaintext", &target, "list", "grpc.health.v1.Health"], "").await;
    assert!(ran.out.starts_with("grpc.health.v1.Health.Check\n"), "{}", ran.out);
    assert!(ran.out.ends_with("grpc.health.v1.Health.Watch\n"), "{}", ran.out);
}

#[tokio::test]
async fn a_service_is_described_with_its_streams_and_documentation() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", &target, "describe", "grpc.health.v1.Health"], "").await;
    let expected = "\
grpc.health.v1.Health is a service:
service Health {
  // Tells how it is.
  //
  // Once.
  rpc Check ( .grpc.health.v1.HealthCheckRequest ) returns ( .grpc.health.v1.HealthCheckResponse );
";
    assert!(ran.out.starts_with(expected), "{}", ran.out);
    let watch = ".HealthCheckRequest ) returns ( stream .grpc.health.v1.HealthCheckResponse );\n}\n";
    assert!(ran.out.ends_with(watch), "{}", ran.out);
}

#[tokio::test]
async fn messages_enums_methods_and_fields_can_be_described() {
    let (target, _) = server().await;
    let expectations = [
        (
            "grpc.health.v1.HealthCheckRequest",
            "grpc.health.v1.HealthCheckRequest is a message:\nmessage HealthCheckRequest {\n  string service = 1;\n}\n",
        ),
        ("grpc.health.v1.HealthCheckRequest.service", " is a field:\nstring service = 1;\n"),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus", " is an enum:\nenum ServingStatus {\n  UNKNOWN = 0;\n"),
        (".grpc.health.v1.Health.Check", "grpc.health.v1.Health.Check is a method:\n"),
        ("google.rpc.ErrorInfo", "  map<string, string> metadata = 3;\n"),
        ("google.rpc.BadRequest", "  repeated .google.rpc.BadRequest.FieldViolation field_violations = 1;\n"),
        ("grpc.reflection.v1.ServerReflectionRequest", "  oneof message_request {\n"),
    ];
    for (symbol, expected) in expectations {
        let ran = grpcurl(&["-plaintext", &target, "describe", symbol], "").await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{symbol}");
        assert!(ran.out.contains(expected), "{symbol}: {}", ran.out);
    }
}

#[tokio::test]
async fn describing_nothing_in_particular_describes_every_service() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", &target, "describe"], "").await;
    assert!(ran.out.contains("grpc.health.v1.Health is a service:"), "{}", ran.out);
    assert!(ran.out.contains("grpc.reflection.v1.ServerReflection is a service:"), "{}", ran.out);
}

#[tokio::test]
async fn an_unknown_symbol_is_named() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", &target, "describe", "nobody.Knows"], "").await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "Failed to resolve symbol \"nobody.Knows\": Symbol not found: nobody.Knows\n");
}

#[tokio::test]
async fn a_unary_call_prints_its_response_as_indented_json() {
    let (target, _) = server().await;
    for body in ["{}", r#"{"service": ""}"#, ""] {
        let ran = grpcurl(&["-plaintext", "-d", body, &target, "grpc.health.v1.Health/Check"], "").await;
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "{\n  \"status\": \"SERVING\"\n}\n", ""));
    }
}

#[tokio::test]
async fn a_request_can_come_from_the_standard_input() {
    let (target, reporter) = server().await;
    reporter.set_service_status("tandem", ServingStatus::NotServing).await;
    let call = ["-plaintext", "-d", "@", &target, "grpc.health.v1.Health.Check"];
    let ran = grpcurl(&call, "{\n  \"service\": \"tandem\"\n}\n").await;
    assert_eq!(ran.out, "{\n  \"status\": \"NOT_SERVING\"\n}\n");
}

#[tokio::test]
async fn defaults_are_left_out_unless_they_are_asked_for() {
    let (target, reporter) = server().await;
    reporter.set_service_status("", ServingStatus::Unknown).await;
    let ran = grpcurl(&["-plaintext", &target, "grpc.health.v1.Health/Check"], "").await;
    assert_eq!(ran.out, "{}\n");
    let ran = grpcurl(&["-plaintext", "-emit-defaults", &target, "grpc.health.v1.Health/Check"], "").await;
    assert_eq!(ran.out, "{\n  \"status\": \"UNKNOWN\"\n}\n");
}

/// Tells of every line that was written, so that a test can act between two responses.
struct Announced(mpsc::UnboundedSender<String>);

impl Write for Announced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_responses_of_a_stream_are_printed_as_they_come() {
    let (target, mut reporter) = server().await;
    let (announce, mut printed) = mpsc::unbounded_channel();
    let arguments = ["-plaintext", &target, "grpc.health.v1.Health/Watch"].map(ToOwned::to_owned);
    let (mut input, mut out, mut err) = (io::empty(), Announced(announce), io::sink());
    let mut terminal = Terminal { input: &mut input, out: &mut out, err: &mut err };
    let changes = async {
        let mut seen = String::new();
        while !seen.contains("\"SERVING\"\n}") {
            seen.push_str(&printed.recv().await.unwrap());
        }
        reporter.set_service_status("", ServingStatus::NotServing).await;
        while !seen.contains("\"NOT_SERVING\"\n}") {
            seen.push_str(&printed.recv().await.unwrap());
        }
        reporter.clear_service_status("").await;
    };
    let (code, ()) = tokio::join!(run(arguments, &mut terminal), changes);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_stream_of_requests_is_several_json_values() {
    let (target, _) = server().await;
    let body = r#"{"listServices": ""} {"fileByFilename": "health.proto"}"#;
    let call = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let ran = grpcurl(&["-plaintext", "-d", body, &target, call], "").await;
    assert!(ran.out.contains("\"listServicesResponse\": {"), "{}", ran.out);
    assert!(ran.out.contains("\n}\n{\n"), "two answers: {}", ran.out);
}

#[tokio::test]
async fn a_unary_call_takes_one_request() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", "-d", "{} {}", &target, "grpc.health.v1.Health/Check"], "").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is a unary RPC, but request data contained more than 1 message"), "{}", ran.err);
}

#[tokio::test]
async fn a_refusal_prints_its_code_message_and_details() {
    let (target, _) = server().await;
    let call = ["-plaintext", "-H", "refuse: known", &target, "grpc.health.v1.Health/Check"];
    let ran = grpcurl(&call, "").await;
    assert_eq!(ran.code, 64 + 7);
    assert_eq!(ran.out, "");
    let expected = r#"ERROR:
  Code: PermissionDenied
  Message: not you
  Details:
  1)	{
    	  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    	  "reason": "ROLE_NOT_ALLOWED",
    	  "domain": "tandem",
    	  "metadata": {
    	    "a": "1",
    	    "b": "2"
    	  }
    	}
  2)	{
    	  "@type": "type.googleapis.com/google.rpc.BadRequest",
    	  "fieldViolations": [
    	    {
    	      "field": "users[3].email",
    	      "description": "not an address"
    	    }
    	  ]
    	}
"#;
    assert_eq!(ran.err, expected);
}

#[tokio::test]
async fn a_detail_of_an_unknown_type_is_shown_in_binary() {
    let (target, _) = server().await;
    let call = ["-plaintext", "-H", "refuse: unknown", &target, "grpc.health.v1.Health/Check"];
    let ran = grpcurl(&call, "").await;
    assert_eq!(ran.code, 64 + 9);
    assert!(ran.err.contains("\"@type\": \"type.googleapis.com/nobody.Knows\""), "{}", ran.err);
    assert!(ran.err.contains("\"@value\": \"AQID\""), "{}", ran.err);
}

#[tokio::test]
async fn a_refusal_without_details_is_three_lines() {
    let (target, _) = server().await;
    let call = ["-plaintext", "-d", r#"{"service": "nobody"}"#, &target, "grpc.health.v1.Health/Check"];
    let ran = grpcurl(&call, "").await;
    assert_eq!(ran.code, 64 + 5);
    assert_eq!(ran.err, "ERROR:\n  Code: NotFound\n  Message: service not registered\n");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_says_what_was_wrong() {
    let (target, _) = server().await;
    for (body, complaint) in [
        (r#"{"svc": "x"}"#, "unrecognized field name 'svc'"),
        (r#"{"service": 3}"#, "invalid type: integer `3`"),
        (r#"{"service": "#, "EOF while parsing"),
        ("service", "expected value at line 1 column 1"),
    ] {
        let ran = grpcurl(&["-plaintext", "-d", body, &target, "grpc.health.v1.Health/Check"], "").await;
        assert_eq!(ran.code, 1, "{body}");
        assert!(ran.err.starts_with("Error invoking method \"grpc.health.v1.Health/Check\": error getting request"));
        assert!(ran.err.contains(complaint), "{body}: {}", ran.err);
    }
}

#[tokio::test]
async fn an_unknown_service_and_an_unknown_method_are_told_apart() {
    let (target, _) = server().await;
    let ran = grpcurl(&["-plaintext", &target, "nobody.Knows/It"], "").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.ends_with("target server does not expose service \"nobody.Knows\"\n"), "{}", ran.err);
    let ran = grpcurl(&["-plaintext", &target, "grpc.health.v1.Health/Recover"], "").await;
    assert!(ran.err.contains("does not include a method named \"Recover\""), "{}", ran.err);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    drop(listener);
    let ran = grpcurl(&["-plaintext", &target, "list"], "").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with(&format!("Failed to dial target host \"{target}\": ")), "{}", ran.err);
    assert!(ran.err.contains("refused"), "{}", ran.err);
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up_after_the_maximum_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let ran = grpcurl(&["-plaintext", "-max-time", "0.05", &target, "grpc.health.v1.Health/Check"], "").await;
    assert_eq!(ran.code, 64 + 4);
    assert_eq!(ran.err, "ERROR:\n  Code: DeadlineExceeded\n  Message: context deadline exceeded\n");
}

#[tokio::test]
async fn a_wrong_command_line_is_answered_with_the_usage() {
    for (arguments, complaint) in [
        (&[][..], "Too few arguments."),
        (&["-plaintext", "localhost:1"], "Too few arguments."),
        (&["-plaintext", "list"], "No host:port specified."),
        (&["-plaintext", "localhost:1", "list", "a.B", "c"], "Too many arguments."),
        (&["-verbatim", "localhost:1", "list"], "flag provided but not defined: -verbatim"),
        (&["-d"], "flag needs an argument: -d"),
        (&["-max-time=soon", "localhost:1", "list"], "must be a positive number"),
        (&["-format", "text", "localhost:1", "list"], "one -format"),
        (&["-H", "two words: x", "localhost:1", "list"], "\"two words\" is not a header"),
        (&["localhost:1", "list"], "needs -cacert"),
    ] {
        let ran = grpcurl(arguments, "").await;
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.err.contains(complaint) && ran.err.contains("Usage:"), "{arguments:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn a_missing_file_of_roots_is_named() {
    let ran = grpcurl(&["-cacert", "no/such/roots.pem", "localhost:1", "list"], "").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("could not read no/such/roots.pem"), "{}", ran.err);
}
