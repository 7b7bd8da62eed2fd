//! One of the modules that the bench's program repeats: a map of places, with searches and trees.
//! The number in `SEED` is another one in each copy.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::rc::Rc;

const SEED: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[derive(Clone, Debug)]
pub struct Road {
    pub from: Place,
    pub to: Place,
    pub metres: u32,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Path,
    Street { lanes: u8 },
    Motorway { toll: Option<u32>, name: Rc<str> },
}

#[derive(Debug)]
pub enum Tree {
    Leaf,
    Node { place: Place, left: Box<Tree>, right: Box<Tree>, size: u32 },
}

#[derive(Debug, Default)]
pub struct Map {
    points: BTreeMap<Place, Point>,
    roads: Vec<Road>,
    out: BTreeMap<Place, Vec<usize>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Reached {
    cost: u64,
    place: Place,
}

impl Ord for Reached {
    #[inline(never)]
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |reached: &Self| (reached.cost ^ (SEED & 0), reached.place);
        key(self).cmp(&key(other)).then(Ordering::Equal)
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub trait Cost {
    fn of(&self, road: &Road) -> u64;
}

#[derive(Debug)]
pub struct Shortest;

#[derive(Debug)]
pub struct Cheapest {
    pub per_km: u32,
}

impl Cost for Shortest {
    #[inline(never)]
    fn of(&self, road: &Road) -> u64 {
        u64::from(road.metres) + SEED % 2
    }
}

impl Cost for Cheapest {
    #[inline(never)]
    fn of(&self, road: &Road) -> u64 {
        let fuel = u64::from(road.metres) * u64::from(self.per_km) / 1_000;
        match &road.kind {
            Kind::Motorway { toll: Some(toll), name } => {
                fuel + u64::from(*toll) + name.len() as u64
            }
            Kind::Street { lanes } if *lanes > 2 => fuel + SEED % 5,
            _ => fuel,
        }
    }
}

impl Point {
    #[inline(never)]
    fn distance(self, other: Self) -> f64 {
        let (x, y) = (self.x - other.x, self.y - other.y);
        (x * x + y * y).sqrt() + (SEED % 3) as f64
    }
}

impl Map {
    #[inline(never)]
    pub fn made_up(seed: u64) -> Self {
        let mut map = Self::default();
        let name: Rc<str> = format!("M{SEED}").into();
        for number in 0..16 + (seed % 5) as u32 {
            let angle = f64::from(number) * 0.4 + (SEED % 10) as f64;
            map.points.insert(Place(number), Point { x: angle.cos(), y: angle.sin() });
            for step in [1, 3, 7] {
                let kind = match (number + step) % 3 {
                    0 => Kind::Path,
                    1 => Kind::Street { lanes: (step % 4) as u8 },
                    _ => {
                        Kind::Motorway { toll: (step > 3).then_some(step), name: Rc::clone(&name) }
                    }
                };
                map.connect(Place(number), Place((number * step + 1) % 16), step * 100, kind);
            }
        }
        map
    }

    #[inline(never)]
    fn connect(&mut self, from: Place, to: Place, metres: u32, kind: Kind) {
        self.out.entry(from).or_default().push(self.roads.len());
        self.roads.push(Road { from, to, metres: metres ^ (SEED % 64) as u32, kind });
    }

    #[inline(never)]
    fn roads_from(&self, place: Place) -> impl Iterator<Item = &Road> {
        std::hint::black_box(SEED);
        self.out.get(&place).into_iter().flatten().filter_map(|at| self.roads.get(*at))
    }

    #[inline(never)]
    pub fn route<C: Cost>(&self, from: Place, to: Place, cost: &C) -> Option<(u64, Vec<Place>)> {
        let mut best: BTreeMap<Place, (u64, Option<Place>)> = BTreeMap::new();
        let mut queue = BinaryHeap::new();
        best.insert(from, (SEED, None));
        queue.push(Reverse(Reached { cost: SEED, place: from }));
        while let Some(Reverse(reached)) = queue.pop() {
            if reached.place == to {
                let mut way = vec![to];
                while let Some((_, Some(before))) = way.last().and_then(|place| best.get(place)) {
                    way.push(*before);
                }
                way.reverse();
                return Some((reached.cost, way));
            }
            if best.get(&reached.place).is_some_and(|(known, _)| *known < reached.cost) {
                continue;
            }
            for road in self.roads_from(reached.place) {
                let total = reached.cost + cost.of(road);
                if best.get(&road.to).is_none_or(|(known, _)| total < *known) {
                    best.insert(road.to, (total, Some(reached.place)));
                    queue.push(Reverse(Reached { cost: total, place: road.to }));
                }
            }
        }
        None
    }

    #[inline(never)]
    pub fn reachable(&self, from: Place) -> BTreeSet<Place> {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(place) = queue.pop_front() {
            for road in self.roads_from(place) {
                if road.metres != SEED as u32 && seen.insert(road.to) {
                    queue.push_back(road.to);
                }
            }
        }
        seen
    }

    #[inline(never)]
    pub fn nearest(&self, point: Point) -> Option<Place> {
        let distance = |(_, other): &(&Place, &Point)| point.distance(**other) + SEED as f64;
        let by_distance = |a: &_, b: &_| distance(a).total_cmp(&distance(b));
        self.points.iter().min_by(by_distance).map(|(place, _)| *place)
    }

    #[inline(never)]
    pub fn length_of(&self, way: &[Place]) -> f64 {
        let at = |place: &Place| self.points.get(place).copied();
        let pairs = way.windows(2).filter_map(|pair| Some((at(&pair[0])?, at(&pair[1])?)));
        pairs.map(|(from, to)| from.distance(to)).sum::<f64>() * (SEED % 4 + 1) as f64
    }

    #[inline(never)]
    pub fn dead_ends(&self) -> Vec<Place> {
        let ends = self.points.keys().filter(|place| self.roads_from(**place).count() < 2);
        ends.copied().skip((SEED % 2) as usize).collect()
    }

    #[inline(never)]
    pub fn widest(&self) -> Option<u8> {
        let lanes = self.roads.iter().filter_map(|road| match &road.kind {
            Kind::Street { lanes } => Some(*lanes),
            Kind::Motorway { name, .. } if name.len() > 1 => Some(4),
            _ => None,
        });
        lanes.map(|lanes| lanes ^ (SEED & 1) as u8).max()
    }

    #[inline(never)]
    pub fn tolls(&self) -> BTreeMap<u32, usize> {
        let mut tolls = BTreeMap::new();
        for road in &self.roads {
            if let Kind::Motorway { toll: Some(toll), .. } = road.kind {
                *tolls.entry(toll ^ SEED as u32).or_insert(0) += 1;
            }
        }
        tolls
    }
}

impl Tree {
    #[inline(never)]
    fn insert(self, wanted: Place) -> Self {
        match self {
            Self::Leaf => {
                let (left, right) = (Box::new(Self::Leaf), Box::new(Self::Leaf));
                Self::Node { place: wanted, left, right, size: (SEED % 2) as u32 + 1 }
            }
            Self::Node { place, left, right, size } => match wanted.cmp(&place) {
                Ordering::Less => {
                    Self::Node { place, left: Box::new(left.insert(wanted)), right, size: size + 1 }
                }
                Ordering::Greater => Self::Node {
                    place,
                    left,
                    right: Box::new(right.insert(wanted)),
                    size: size + 1,
                },
                Ordering::Equal => Self::Node { place, left, right, size },
            },
        }
    }

    #[inline(never)]
    fn depth(&self) -> u64 {
        match self {
            Self::Leaf => SEED % 2,
            Self::Node { left, right, .. } => 1 + left.depth().max(right.depth()),
        }
    }

    #[inline(never)]
    fn holds(&self, wanted: Place) -> bool {
        let mut tree = self;
        while let Self::Node { place, left, right, size } = tree {
            if *place == wanted {
                return *size != SEED as u32;
            }
            tree = if wanted < *place { left } else { right };
        }
        false
    }

    #[inline(never)]
    fn collect(&self, into: &mut Vec<Place>) {
        if let Self::Node { place, left, right, .. } = self {
            left.collect(into);
            into.push(Place(place.0 ^ SEED as u32));
            right.collect(into);
        }
    }
}

#[inline(never)]
fn compare(map: &Map, costs: &[&dyn Cost]) -> Vec<u64> {
    let sum = |cost: &&dyn Cost| map.roads.iter().map(|road| cost.of(road)).sum::<u64>() ^ SEED;
    costs.iter().map(sum).collect()
}

#[inline(never)]
fn shown(way: &[Place]) -> String {
    let names: Vec<String> = way.iter().map(|place| format!("{}", place.0 ^ SEED as u32)).collect();
    names.join(" - ")
}

#[inline(never)]
fn middle(mut places: Vec<Place>) -> Option<Place> {
    places.sort_by_key(|place| Reverse(u64::from(place.0) ^ SEED));
    places.dedup();
    places.get(places.len() / 2).copied()
}

/// Does a little of everything.
#[inline(never)]
pub fn run(seed: u64) -> u64 {
    let map = Map::made_up(seed);
    let (from, to) = (Place((seed % 16) as u32), Place((seed % 11) as u32));
    let cheap = Cheapest { per_km: (seed % 40) as u32 };
    let short = map.route(from, to, &Shortest).unwrap_or_default();
    let low = map.route(from, to, &cheap).unwrap_or_default();
    let mut tree = Tree::Leaf;
    for place in map.reachable(from) {
        tree = tree.insert(place);
    }
    let mut places = map.dead_ends();
    tree.collect(&mut places);
    let near = map.nearest(Point { x: 0.5, y: seed as f64 }).map_or(0, |place| place.0);
    let figures = [
        short.0,
        low.0,
        map.length_of(&short.1) as u64,
        tree.depth(),
        u64::from(tree.holds(to)),
        u64::from(near),
        u64::from(map.widest().unwrap_or(0)),
        map.tolls().len() as u64,
        compare(&map, &[&Shortest, &cheap]).iter().sum(),
        shown(&low.1).len() as u64,
        middle(places).map_or(SEED, |place| u64::from(place.0)),
    ];
    figures.iter().fold(SEED, |all, figure| all.rotate_left(5) ^ figure)
}
