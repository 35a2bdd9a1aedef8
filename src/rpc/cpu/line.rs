//! The line of those who wait for a CPU: who is next, who is refused, who has waited for too long. Nothing here does any
//! work; what waits is any `N`.

use super::Part;
use crate::rpc::share::{Held, Share};
use crate::rpc::status;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::Status;

/// For so long after a single call batches and streams leave one CPU to others like it.
pub(super) const LEFT_FREE: Duration = Duration::from_secs(1);

/// Once somebody was refused, and until nobody has been for [`RELIEF`], a connection that has had its part waits for no more
/// than this.
pub(super) const PRESSED_WAIT: Duration = Duration::from_millis(4);
pub(super) const RELIEF: Duration = Duration::from_secs(1);
/// So many texts like the one it asks for a connection must be behind the others not to have had its part.
const BEHIND: u64 = 4;

/// What a connection has been served or promised: the virtual time at which its last text ends.
#[derive(Debug, Default)]
pub(crate) struct Flow(AtomicU64);

impl Flow {
    pub(super) fn promised(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn promise(&self, until: u64) {
        self.0.store(until, Ordering::Relaxed);
    }

    fn refund(&self, cost: u64) {
        self.promise(self.promised().saturating_sub(cost));
    }
}

/// Those who wait for a CPU.
#[derive(Debug)]
pub(super) struct Line<N> {
    /// CPUs there are.
    pub(super) count: usize,
    pub(super) free: usize,
    /// CPUs that batches and streams have.
    pub(super) items: usize,
    pub(super) last_call: Option<Instant>,
    pub(super) last_refused: Option<Instant>,
    /// The virtual time: where the text began that got a CPU last.
    pub(super) now: u64,
    came: u64,
    pub(super) calls: Queue<N>,
    bulk: Queue<N>,
}

/// By the virtual time at which a text begins, then as they came.
pub(super) type Turn = (u64, u64);
pub(super) type Queue<N> = BTreeMap<Turn, Waiter<N>>;

/// Who waits under pressure is refused after all once it has waited for half more than it was to: what was expected
/// may be wrong by so much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressed {
    max_wait: Duration,
    since: Instant,
}

impl Pressed {
    pub(super) fn now(max_wait: Duration) -> Self {
        Self { max_wait, since: Instant::now() }
    }

    fn longest(self) -> Duration {
        self.max_wait * 3 / 2
    }

    pub(super) fn refused(self) -> Status {
        status::too_long_a_wait(self.longest(), self.max_wait)
    }
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter<N> {
    pub(super) cost: u64,
    pub(super) pressed: Option<Pressed>,
    pub(super) next: N,
    pub(super) flow: Arc<Flow>,
    /// Its place to wait at.
    pub(super) _room: Option<Held>,
}

impl<N> Waiter<N> {
    /// Who leaves the line unserved has used nothing.
    fn unserved(self) -> N {
        self.flow.refund(self.cost);
        self.next
    }
}

impl<N> Line<N> {
    pub(super) fn new(count: usize) -> Self {
        let (calls, bulk) = (Queue::new(), Queue::new());
        Self {
            count,
            free: count,
            items: 0,
            last_call: None,
            last_refused: None,
            now: 0,
            came: 0,
            calls,
            bulk,
        }
    }

    /// Where a text of `flow` begins; the flow is charged for it.
    pub(super) fn turn(&mut self, flow: &Flow, cost: u64) -> Turn {
        let start = self.now.max(flow.promised());
        flow.promise(start.saturating_add(cost));
        self.came += 1;
        (start, self.came)
    }

    /// The same for one that is to wait for little, as those before it are: it overtakes none of these, who would be
    /// refused after all.
    pub(super) fn last_turn(&mut self, flow: &Flow, cost: u64) -> Turn {
        let (start, came) = self.turn(flow, cost);
        let last = self.calls.iter().rev().find(|(_, waiter)| waiter.pressed.is_some());
        (last.map_or(start, |((last, _), _)| start.max(*last)), came)
    }

    /// A place to wait at, of the connection's part.
    pub(super) fn room(&mut self, room: Option<&Arc<Share>>) -> Result<Option<Held>, Status> {
        room.map(|room| room.take(1)).transpose().map_err(|refused| {
            self.last_refused = Some(Instant::now());
            status::too_many_waiting(refused)
        })
    }

    /// What is to be done before this turn, beside what is being done.
    pub(super) fn before(&self, turn: Turn) -> u64 {
        let cost = |queue: &Queue<N>| queue.range(..turn).map(|(_, waiter)| waiter.cost).sum::<u64>();
        cost(&self.calls) + cost(&self.bulk)
    }

    /// Whether a text is to wait for little, of a connection that would have had `promised` without it.
    pub(super) fn presses(&self, promised: u64, cost: u64) -> bool {
        let pressed = self.last_refused.is_some_and(|last| last.elapsed() < RELIEF);
        let behind = promised.saturating_add(BEHIND.saturating_mul(cost)) <= self.now;
        pressed && !behind
    }

    pub(super) fn queue(&mut self, part: Part) -> &mut Queue<N> {
        match part {
            Part::Call => &mut self.calls,
            Part::First | Part::Item => &mut self.bulk,
        }
    }

    /// Whether there is a CPU for another text of a batch or stream.
    fn has_for_items(&self) -> bool {
        let called = self.last_call.is_some_and(|last| last.elapsed() < LEFT_FREE);
        self.free > 0 && (!called || self.items == 0 || self.items + 1 < self.count)
    }

    pub(super) fn has_for(&self, part: Part) -> bool {
        match part {
            Part::Call => self.free > 0,
            // Not before those who wait already.
            Part::First | Part::Item => self.bulk.is_empty() && self.has_for_items(),
        }
    }

    pub(super) fn begin(&mut self, part: Part, (start, _): Turn) {
        self.free -= 1;
        self.items += usize::from(part != Part::Call);
        self.now = self.now.max(start);
    }

    /// The next who waits and can have a CPU.
    pub(super) fn next(&mut self) -> Option<(Part, N)> {
        let call = self.calls.keys().next().filter(|_| self.free > 0).copied();
        let item = self.bulk.keys().next().filter(|_| self.has_for_items()).copied();
        let (part, turn) = match (call, item) {
            (Some(call), Some(item)) if item < call => (Part::Item, item),
            (Some(call), _) => (Part::Call, call),
            (None, item) => (Part::Item, item?),
        };
        let Waiter { next, .. } = self.queue(part).remove(&turn)?;
        self.begin(part, turn);
        Some((part, next))
    }

    /// Takes one out of the line who does not want to wait any more.
    pub(super) fn leave(&mut self, part: Part, turn: Turn) -> Option<N> {
        Some(self.queue(part).remove(&turn)?.unserved())
    }

    /// A CPU is free again. Takes those out of the line who have waited for as long as they may.
    pub(super) fn end(&mut self, part: Part) -> Vec<(N, Pressed)> {
        self.free += 1;
        self.items -= usize::from(part != Part::Call);
        let now = Instant::now();
        let late = |waiter: &Waiter<N>| waiter.pressed.filter(|p| now.duration_since(p.since) >= p.longest());
        let late: Vec<(Turn, Pressed)> =
            self.calls.iter().filter_map(|(turn, waiter)| Some((*turn, late(waiter)?))).collect();
        if !late.is_empty() {
            self.last_refused = Some(now);
        }
        late.iter()
            .filter_map(|(turn, pressed)| Some((self.calls.remove(turn)?.unserved(), *pressed)))
            .collect()
    }
}
