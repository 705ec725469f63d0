//! A refusal by the server, told as grpcurl tells it.

use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::{Code, Status};

use super::reflection::Source;
use super::{Failure, json};

/// The status with its details decoded through the server's own descriptors; a type that the server does not know
/// is shown in its binary form.
pub(super) async fn refusal(source: &mut Source, status: &Status) -> Failure {
    match details(source, status).await {
        Ok(details) => Failure::refused(status, &details),
        Err(why) => Failure::refused(status, &format!("\n  Details: cannot be shown: {why}")),
    }
}

/// As grpc-go spells it, which is as tonic does but for the double consonant.
pub(super) fn code_name(code: Code) -> String {
    match code {
        Code::Cancelled => "Canceled".to_owned(),
        other => format!("{other:?}"),
    }
}

async fn details(source: &mut Source, status: &Status) -> Result<String, String> {
    let packed = tonic_types::Status::decode(status.details()).map_err(|e| e.to_string())?.details;
    let mut text = String::new();
    for (index, any) in packed.iter().enumerate() {
        if index == 0 {
            text.push_str("\n  Details:");
        }
        let descriptor =
            source.pool().get_message_by_name("google.protobuf.Any").ok_or("google.protobuf.Any is unknown")?;
        let mut detail = DynamicMessage::new(descriptor);
        detail.transcode_from(any).map_err(|e| e.to_string())?;
        source.load_any_types(&detail).await.map_err(|e| e.to_string())?;
        let number = format!("  {})", index + 1);
        let continuation = format!("\n{}\t", " ".repeat(number.len()));
        let shown = json::render(&detail, source.pool(), json::Defaults::Skipped)?;
        text.push_str(&format!("\n{number}\t{}", shown.replace('\n', &continuation)));
    }
    Ok(text)
}
