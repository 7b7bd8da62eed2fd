//! An order service in small, for `cargo xtask demo` to trace.
//!
//! A feed makes orders, workers take them from a queue, check their risk, book them in a shared
//! ledger and have some of them confirmed by a settlement service. It has the troubles a trace
//! should find: a hot spot (`risk::simulate`), a wait for another service
//! (`settlement::Client::confirm`), and a lock that an auditor holds too long
//! (`ledger::Ledger::audit`), behind which the workers queue up.
//!
//! Nothing in it knows that it is traced. `demo [SECONDS]` runs for that long, else until killed.
//! The stages are kept out of line, as larger functions of a real service would be.

mod feed;
mod ledger;
mod queue;
mod risk;
mod settlement;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use feed::Order;
use ledger::Ledger;
use queue::Queue;
use settlement::Client;

const WORKERS: usize = 3;

fn main() {
    let seconds = match std::env::args().nth(1).map(|text| text.parse::<u64>()) {
        None => None,
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => {
            eprintln!("usage: demo [SECONDS]");
            std::process::exit(2);
        }
    };
    let queue = Arc::new(Queue::new(256));
    let ledger = Arc::new(Ledger::new());
    for number in 0..WORKERS {
        let (queue, ledger) = (Arc::clone(&queue), Arc::clone(&ledger));
        let client = settlement::connect(number);
        spawn(format!("worker-{number}"), move || work(&queue, &ledger, client));
    }
    let audited = Arc::clone(&ledger);
    spawn("auditor".to_owned(), move || audit_now_and_then(&audited));
    spawn("feed".to_owned(), move || feed::run(&queue));
    match seconds {
        Some(seconds) => thread::sleep(Duration::from_secs(seconds)),
        None => loop {
            thread::park();
        },
    }
    println!("booked {} orders", ledger.booked());
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name).spawn(body) {
        eprintln!("cannot start a thread: {error}");
        std::process::exit(1);
    }
}

fn work(queue: &Queue<Order>, ledger: &Ledger, mut client: Client) {
    loop {
        let order = queue.pop();
        handle(&order, ledger, &mut client);
    }
}

#[inline(never)]
fn handle(order: &Order, ledger: &Ledger, client: &mut Client) {
    if risk::check(order) {
        ledger.book(order);
        if order.needs_confirmation() {
            client.confirm(order);
        }
    }
}

fn audit_now_and_then(ledger: &Ledger) {
    loop {
        thread::sleep(Duration::from_millis(60));
        ledger.audit();
    }
}
