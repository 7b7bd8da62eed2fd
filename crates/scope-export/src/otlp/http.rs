//! OTLP over HTTP: protobuf posted to a collector
//! ([protocol](https://opentelemetry.io/docs/specs/otlp/#otlphttp)).
//!
//! Without TLS: a collector on this machine is what speaks to the rest of the world.

use std::thread::sleep;
use std::time::Duration;

use prost::Message;
use ureq::Agent;

use super::proto::{Response, TracesData};
use crate::Error;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request is made that the receiver says to repeat, and how long to wait at first.
const TRIES: u32 = 5;
const WAIT: Duration = Duration::from_millis(250);
/// Bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 64 << 10;
/// Where spans are taken.
const PATH: &str = "/v1/traces";

/// A receiver.
#[derive(Debug)]
pub(super) struct Receiver {
    agent: Agent,
    endpoint: String,
    body: Vec<u8>,
}

impl Receiver {
    /// The receiver at a base address such as `http://localhost:4318`, or at a full one.
    pub(super) fn new(endpoint: &str) -> Result<Self, Error> {
        let base = endpoint.trim_end_matches('/');
        let full = match base.ends_with(PATH) {
            true => base.to_owned(),
            false => format!("{base}{PATH}"),
        };
        if !base.starts_with("http://") {
            let why = "only http:// addresses can be reached; a collector on this machine can forward to https";
            return Err(Error::Refused { endpoint: endpoint.to_owned(), why: why.to_owned() });
        }
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Ok(Self { agent: config.into(), endpoint: full, body: Vec::new() })
    }

    /// Sends spans, again where the receiver asks for that.
    pub(super) fn send(&mut self, data: &TracesData) -> Result<(), Error> {
        self.body.clear();
        data.encode(&mut self.body).map_err(|error| self.refused(&error.to_string()))?;
        let mut wait = WAIT;
        for left in (0..TRIES).rev() {
            let sent = self
                .agent
                .post(&self.endpoint)
                .header("content-type", "application/x-protobuf")
                .send(&self.body);
            let mut response = sent.map_err(|error| self.refused(&error.to_string()))?;
            let status = response.status().as_u16();
            if left > 0 && matches!(status, 429 | 502 | 503 | 504) {
                sleep(wait);
                wait *= 2;
                continue;
            }
            if status != 200 {
                return Err(self.refused(&format!("status {status}")));
            }
            let answer = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
            let answer = answer.map_err(|error| self.refused(&error.to_string()))?;
            // An answer of another form says nothing about what was rejected.
            let answer = Response::decode(answer.as_slice()).unwrap_or_default();
            return match answer.partial_success {
                Some(part) if part.rejected_spans > 0 => {
                    let why =
                        format!("{} spans rejected: {}", part.rejected_spans, part.error_message);
                    Err(self.refused(&why))
                }
                _ => Ok(()),
            };
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Error {
        Error::Refused { endpoint: self.endpoint.clone(), why: why.to_owned() }
    }
}
