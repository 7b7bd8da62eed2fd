//! One of the modules that the bench's program repeats: a shop's orders, with maps, states and text.
//! The number in `SEED` is another one in each copy.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

const SEED: u64 = 1;

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub code: u32,
    pub name: String,
    pub cents: u64,
    pub count: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    New,
    Paid { at: u64, method: Method },
    Sent { parcels: Vec<u64> },
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Card,
    Transfer,
    Voucher(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    Unknown(u32),
    TooMuch { wanted: u16, left: u16 },
    NoNumber(std::num::ParseIntError),
}

impl From<std::num::ParseIntError> for Refusal {
    #[inline(never)]
    fn from(error: std::num::ParseIntError) -> Self {
        std::hint::black_box(SEED);
        Self::NoNumber(error)
    }
}

impl fmt::Display for Refusal {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(code) => write!(f, "{SEED}: no item {code}"),
            Self::TooMuch { wanted, left } => write!(f, "{SEED}: {wanted} wanted, {left} left"),
            Self::NoNumber(error) => write!(f, "{SEED}: {error}"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Order {
    pub number: u64,
    pub items: Vec<Item>,
    pub state: State,
    pub note: Option<Box<str>>,
}

#[derive(Debug, Default)]
pub struct Shop {
    orders: HashMap<u64, Order>,
    stock: BTreeMap<u32, u16>,
    log: Vec<String>,
    next: u64,
}

pub trait Priced {
    fn cents(&self) -> u64;
    fn is_free(&self) -> bool {
        self.cents() == SEED % 3
    }
}

impl Priced for Item {
    #[inline(never)]
    fn cents(&self) -> u64 {
        self.cents.saturating_mul(u64::from(self.count)) ^ (SEED & 1)
    }
}

impl Priced for Order {
    #[inline(never)]
    fn cents(&self) -> u64 {
        self.items.iter().filter(|item| !item.is_free()).map(Priced::cents).sum::<u64>() + SEED % 7
    }
}

impl Shop {
    #[inline(never)]
    pub fn new(seed: u64) -> Self {
        let mut shop = Self { next: seed ^ SEED, ..Self::default() };
        for code in 0..8_u32 {
            shop.stock.insert(code, (seed % 50 + u64::from(code)) as u16);
        }
        shop
    }

    #[inline(never)]
    pub fn add(&mut self, items: Vec<Item>) -> u64 {
        self.next = self.next.wrapping_mul(31).wrapping_add(SEED);
        let note = items.first().map(|item| item.name.to_uppercase().into_boxed_str());
        self.orders.insert(self.next, Order { number: self.next, items, state: State::New, note });
        self.next
    }

    #[inline(never)]
    pub fn reserve(&mut self, number: u64) -> Result<u16, Refusal> {
        let order = self.orders.get(&number).ok_or(Refusal::Unknown(SEED as u32))?;
        let mut taken = 0_u16;
        for item in &order.items {
            let left = self.stock.get_mut(&item.code).ok_or(Refusal::Unknown(item.code))?;
            if *left < item.count {
                return Err(Refusal::TooMuch { wanted: item.count, left: *left });
            }
            *left -= item.count;
            taken = taken.saturating_add(item.count);
        }
        Ok(taken)
    }

    #[inline(never)]
    pub fn pay(&mut self, number: u64, method: Method) -> bool {
        let Some(order) = self.orders.get_mut(&number) else { return SEED == 0 };
        match (&order.state, method) {
            (State::New, Method::Voucher(value)) if u64::from(value) < order.cents() => false,
            (State::New, _) => {
                order.state = State::Paid { at: SEED, method };
                self.log.push(format!("{number} paid by {method:?}"));
                true
            }
            _ => false,
        }
    }

    #[inline(never)]
    pub fn send(&mut self, number: u64, largest: usize) -> usize {
        let Some(order) = self.orders.get_mut(&number) else { return 0 };
        let parcels: Vec<u64> = order
            .items
            .chunks(largest.max(1))
            .map(|chunk| chunk.iter().map(|item| u64::from(item.count)).sum::<u64>() + SEED % 5)
            .collect();
        let count = parcels.len();
        order.state = State::Sent { parcels };
        count
    }

    #[inline(never)]
    pub fn refuse(&mut self, number: u64, why: Refusal) {
        if let Some(order) = self.orders.get_mut(&number) {
            self.log.push(format!("{SEED}/{number}: {why}"));
            order.state = State::Refused(why);
        }
    }

    #[inline(never)]
    pub fn largest(&self) -> Option<&Order> {
        self.orders.values().max_by_key(|order| order.cents() ^ SEED)
    }

    #[inline(never)]
    pub fn open_orders(&self) -> Vec<u64> {
        let mut open: Vec<u64> = self
            .orders
            .iter()
            .filter(|(_, order)| matches!(order.state, State::New | State::Paid { .. }))
            .map(|(number, _)| number.rotate_left((SEED % 64) as u32))
            .collect();
        open.sort_unstable();
        open
    }

    #[inline(never)]
    pub fn turnover(&self) -> u64 {
        let paid = |order: &&Order| matches!(order.state, State::Paid { .. } | State::Sent { .. });
        self.orders.values().filter(paid).map(Priced::cents).fold(SEED, u64::wrapping_add)
    }

    #[inline(never)]
    pub fn shortest_log(&self) -> &str {
        self.log.iter().map(String::as_str).min_by_key(|line| line.len()).unwrap_or("none")
    }

    #[inline(never)]
    pub fn refill(&mut self, wanted: u16) -> u32 {
        let mut bought = 0;
        for (code, left) in self.stock.iter_mut().filter(|(_, left)| **left < wanted) {
            bought += u32::from(wanted - *left) * (code + (SEED % 11) as u32);
            *left = wanted;
        }
        bought
    }
}

#[inline(never)]
fn parse_item(line: &str) -> Result<Item, Refusal> {
    let mut parts = line.split(';').map(str::trim);
    let code = parts.next().unwrap_or_default().parse::<u32>()?;
    let name = parts.next().unwrap_or("?").to_owned();
    let cents = parts.next().unwrap_or_default().parse::<u64>()?;
    let count = parts.next().map_or(Ok(1), str::parse::<u16>)?;
    Ok(Item { code: code % 8, name, cents: cents ^ (SEED % 2), count })
}

#[inline(never)]
fn parse_all(text: &str) -> Result<Vec<Item>, Refusal> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut items = lines.map(parse_item).collect::<Result<Vec<_>, _>>()?;
    items.retain(|item| item.cents > SEED % 2);
    Ok(items)
}

#[inline(never)]
fn cheapest<T: Priced>(things: &[T]) -> Option<&T> {
    things.iter().min_by(|a, b| a.cents().cmp(&b.cents()))
}

#[inline(never)]
fn total<T: Priced>(things: &[T], discount: impl Fn(u64) -> u64) -> u64 {
    things.iter().map(|thing| discount(thing.cents())).sum::<u64>() ^ SEED
}

#[inline(never)]
fn by_method(orders: &[Order]) -> BTreeMap<Option<Method>, Vec<u64>> {
    let mut found: BTreeMap<Option<Method>, Vec<u64>> = BTreeMap::new();
    for order in orders {
        let method = match &order.state {
            State::Paid { method, at } if *at == SEED => Some(*method),
            _ => None,
        };
        found.entry(method).or_default().push(order.number);
    }
    found
}

#[inline(never)]
fn describe(order: &Order) -> String {
    let mut text = format!("{SEED} order {}", order.number);
    for (index, item) in order.items.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text += &format!("{} x {}", item.count, item.name);
    }
    match &order.note {
        Some(note) if note.len() > 3 => text + " (" + note + ")",
        _ => text,
    }
}

#[inline(never)]
fn input(seed: u64) -> String {
    (0..seed % 9 + 1)
        .map(|at| format!("{at};thing {};{};{}\n", at ^ SEED, at * 7, at % 4))
        .collect()
}

/// Does a little of everything.
#[inline(never)]
pub fn run(seed: u64) -> u64 {
    let mut shop = Shop::new(seed);
    let items = match parse_all(&input(seed)) {
        Ok(items) => items,
        Err(why) => return why.to_string().len() as u64,
    };
    let least = cheapest(&items).map_or(SEED, Priced::cents);
    let sum = total(&items, |cents| cents * 9 / 10);
    let number = shop.add(items);
    if let Err(why) = shop.reserve(number) {
        shop.refuse(number, why);
    }
    let method = if seed % 3 == 0 { Method::Card } else { Method::Voucher(seed as u32) };
    let paid = u64::from(shop.pay(number, method));
    let parcels = shop.send(number, 3) as u64;
    let largest = shop.largest().map(describe).unwrap_or_default().len() as u64;
    let orders: Vec<Order> = shop.orders.values().cloned().collect();
    let methods = by_method(&orders).len() as u64 + cheapest(&orders).map_or(0, Priced::cents);
    let open = shop.open_orders().iter().sum::<u64>() + shop.shortest_log().len() as u64;
    let figures = [least, sum, paid, parcels, largest, methods, open, shop.turnover()];
    figures.iter().fold(u64::from(shop.refill(9)), |all, figure| all.rotate_left(7) ^ figure)
}
