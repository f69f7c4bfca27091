//! Asking a serving process how its roles stand, as `ledger status` does.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `/readyz` says at this address; `None` where nobody answers, or somebody else.
pub async fn readiness(address: SocketAddr, ledger: &str) -> Option<Value> {
    let answer = timeout(PATIENCE, get(address)).await.ok()?.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let said: Value = serde_json::from_str(body).ok()?;
    let ours = said.get("ledger").and_then(Value::as_str) == Some(ledger);
    ours.then_some(said)
}

async fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // Version 1.0: the answer comes whole and ends with the connection.
    let request = format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
