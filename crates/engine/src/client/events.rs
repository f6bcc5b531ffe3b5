//! The server's events: hints that the journal has grown. Losing one costs time, never correctness.

use std::time::Duration;

use countersign_domain::wire::Head;
use reqwest::Method;

use super::{CallError, TenantClient, send, transport};

/// The server sends something at least this often; a silent connection is a dead one.
const SILENCE: Duration = Duration::from_secs(45);
/// Most bytes of one line: a head is far below.
const MAX_LINE: usize = 16 * 1024;

/// An open stream of hints.
#[derive(Debug)]
pub(crate) struct Events {
    response: reqwest::Response,
    lines: Lines,
}

impl TenantClient {
    /// Opens the stream.
    pub(crate) async fn events(&self) -> Result<Events, CallError> {
        let request = self
            .request(Method::GET, "api/journal/events")?
            .header("accept", "text/event-stream");
        let response = send(request).await?;
        Ok(Events {
            response,
            lines: Lines::default(),
        })
    }
}

impl Events {
    /// The next head that the server speaks of; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Head>, CallError> {
        loop {
            while let Some(line) = self.lines.next()? {
                // Comments, names and ids of events say nothing here; each datum is one line.
                if let Some(head) = line
                    .strip_prefix("data:")
                    .and_then(|text| serde_json::from_str(text.trim()).ok())
                {
                    return Ok(Some(head));
                }
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk())
                .await
                .map_err(|_| CallError::Transport("the stream went silent".to_owned()))?
                .map_err(|error| transport(&error))?;
            match chunk {
                Some(bytes) => self.lines.push(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// Bytes as they come, lines as they end.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<String>, CallError> {
        let Some(end) = self.0.iter().position(|byte| *byte == b'\n') else {
            return if self.0.len() > MAX_LINE {
                Err(CallError::Protocol("an event is too long".to_owned()))
            } else {
                Ok(None)
            };
        };
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_are_cut() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for byte in b": keep-alive\r\ndata: {}\n\n" {
            lines.push(&[*byte]);
            while let Some(line) = lines.next().unwrap() {
                seen.push(line);
            }
        }
        assert_eq!(seen, [": keep-alive", "data: {}", ""]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; MAX_LINE + 1]);
        assert!(lines.next().is_err());
    }
}
