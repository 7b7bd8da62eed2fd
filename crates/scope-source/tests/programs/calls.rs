//! Calls as people write them; compiled by the tests for its debug information.

use std::hint::black_box;

struct Conn {
    items: Vec<u32>,
}

trait Source {
    fn next_item(&mut self) -> Option<u32>;
}

impl Source for Conn {
    #[inline(never)]
    fn next_item(&mut self) -> Option<u32> {
        take_last(
            &mut self.items,
        )
    }
}

impl Conn {
    #[inline(never)]
    pub fn new(
        count: u32,
    ) -> Self {
        Self { items: make_items(scale(count), scale(2)) }
    }

    #[inline(never)]
    fn total(&self) -> u32 {
        self.first().wrapping_add(self.second().min(3)).max(scale(1))
    }

    #[inline(never)]
    fn first(&self) -> u32 {
        black_box(1)
    }

    #[inline(never)]
    fn second(&self) -> u32 {
        let add = |x: u32| scale(x) + 1;
        add(2)
    }

    #[inline(never)]
    fn chain(&mut self) -> &mut Self {
        self
    }
}

#[inline(never)]
fn take_last(items: &mut Vec<u32>) -> Option<u32> {
    items.pop()
}

#[inline(never)]
fn make_items(count: u32, step: u32) -> Vec<u32> {
    let mut out = Vec::new();
    for at in 0..count {
        out.push(at * step);
    }
    out
}

#[inline(never)]
fn scale(x: u32) -> u32 {
    black_box(x) * 2
}

#[inline(never)]
fn fallible(x: u32) -> Result<u32, String> {
    if x > 100 { Err(x.to_string()) } else { Ok(scale(x)) }
}

#[inline(never)]
fn generic<T: Source>(source: &mut T) -> u32 {
    match source.next_item() {
        Some(n) if n > scale(0) => n,
        _ => 0,
    }
}

fn run() -> Result<u32, String> {
    let mut conn = Conn::new(3);
    conn.chain().chain().chain();
    let sum = fallible(conn.total())? + fallible(generic(&mut conn))?;
    Ok(sum + generic::<Conn>(&mut conn))
}

fn main() {
    let sum = run().unwrap_or(0);
    black_box(sum);
}
