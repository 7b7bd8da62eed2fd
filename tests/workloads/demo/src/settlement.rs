//! The other side: a service behind a socket that takes its time.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use crate::feed::Order;

/// How long the service thinks.
const THINKING: Duration = Duration::from_millis(3);

/// A connection to the service.
pub struct Client {
    socket: UnixStream,
}

/// Starts a service thread for one worker and connects to it.
pub fn connect(number: usize) -> Client {
    match UnixStream::pair() {
        Ok((socket, service)) => {
            crate::spawn(format!("settlement-{number}"), move || serve(service));
            Client { socket }
        }
        Err(error) => {
            eprintln!("cannot make a socket: {error}");
            std::process::exit(1);
        }
    }
}

impl Client {
    /// Asks for the order to be confirmed and waits for the answer.
    #[inline(never)]
    pub fn confirm(&mut self, order: &Order) {
        let mut answer = [0; 8];
        let asked = self.socket.write_all(&order.number.to_le_bytes());
        if asked.and_then(|()| self.socket.read_exact(&mut answer)).is_err() {
            eprintln!("the settlement service hung up");
            std::process::exit(1);
        }
    }
}

fn serve(mut socket: UnixStream) {
    let mut question = [0; 8];
    while socket.read_exact(&mut question).is_ok() {
        settle();
        if socket.write_all(&question).is_err() {
            return;
        }
    }
}

#[inline(never)]
fn settle() {
    thread::sleep(THINKING);
}
