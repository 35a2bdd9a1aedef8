//! Who classifies now, who waits and who is refused.
//!
//! As many texts are classified at once as there are CPUs. Short ones are classified where they stand, as a change of
//! threads costs more; the others on threads that give way to those of the runtime (`aside`), so that bytes move, deadlines
//! pass and refusals go out while all CPUs classify. A text whose caller has been answered, as its deadline passed, stops
//! at the next stage.
//!
//! Who waits is served in fair order (start-time fair queueing, Goyal, Vin and Cheng, 1996): connections get their texts' work
//! in turn, so one that asks now and then goes before fifty that ask all the time. While single calls come in, batches and
//! streams leave them one CPU, if there are two: a text cannot be interrupted, and whether anyone reads the replies of a
//! stream cannot be known until its windows are full, megabytes later.
//!
//! Who would wait too long is refused at once. A caller with some dozens of texts in flight, each of which waits for the
//! others, is to be served; more calls than can be served, who come whatever becomes of the others, are not to make each
//! other wait. So how long is too long depends on whether anybody has just been refused ([`PRESSED_WAIT`]), and then no
//! call is kept for longer than that either, whoever overtakes it. Who would have to wait and could not be answered before
//! its deadline is told so at once, too; a CPU that is free is used, whatever is expected, so that a wrong expectation does
//! not last.

use crate::rpc::aside;
use crate::rpc::call::CallContext;
use crate::rpc::share::{Held, Share};
use crate::rpc::status;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonic::Status;

/// From this many bytes of text on, about a millisecond, others are not to wait for it.
const LONG_TEXT: usize = 8 << 10;

/// The call is over; nobody wants the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

/// Says [`Stopped`] when the work at hand is for nobody.
pub(crate) type Stop = dyn Fn() -> Result<(), Stopped>;

/// What a text is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A call of its own; it may be refused because too many wait.
    Call,
    /// A batch's first; it may be refused for the batch.
    First,
    /// What has been let in: an item of a stream, or another of a batch.
    Item,
}

/// CPUs there are for us.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a text costs beside its bytes, in bytes.
const OF_ANY_TEXT: u64 = 1 << 10;
/// Bytes of which a text's n-grams are looked up, about; those of which most sentences are looked at; by how much a byte
/// after the former, and one after the latter, costs less.
const LOOKED_AT: usize = 3 << 10;
const READ: usize = 32 << 10;
const AS_CHEAP: (u64, u64) = (6, 12);
/// Nanoseconds a byte takes, until some have been seen; an average over some sixteen texts then.
const BYTE_NS: u64 = 600;
const SEEN: i64 = 16;
/// A text that took longer than expected counts as this many times as long at most: the machine may have stood still.
const OUTLIER: i64 = 4;

/// For so long after a single call batches and streams leave one CPU to others like it.
const LEFT_FREE: Duration = Duration::from_secs(1);

/// Once somebody was refused, and until nobody has been for [`RELIEF`], a connection that has had its part waits for no more
/// than this.
const PRESSED_WAIT: Duration = Duration::from_millis(7);
const RELIEF: Duration = Duration::from_secs(1);
/// So many texts like the one it asks for a connection must be behind the others not to have had its part.
const BEHIND: u64 = 4;
/// A text that would not be answered in time even if it took only so much of what such texts take does not wait.
const AT_BEST: f64 = 2.0 / 3.0;

/// The work of a text, in bytes of a short one: what comes after its beginning is only skimmed.
fn cost(bytes: usize) -> u64 {
    let [first, second] = [LOOKED_AT, READ].map(|end| bytes.min(end) as u64);
    OF_ANY_TEXT + first + (second - first) / AS_CHEAP.0 + (bytes as u64 - second) / AS_CHEAP.1
}

/// How fast texts are classified.
#[derive(Debug)]
struct Pace(AtomicU64);

impl Pace {
    fn of(&self, cost: u64) -> Duration {
        Duration::from_nanos(cost.saturating_mul(self.0.load(Ordering::Relaxed)))
    }

    /// A text of such cost took so long. Two at once may lose one of them.
    fn learn(&self, cost: u64, took: Duration) {
        let seen = i64::try_from(took.as_nanos() / u128::from(cost.max(1))).unwrap_or(i64::MAX);
        let before = self.0.load(Ordering::Relaxed) as i64;
        let seen = seen.min(before.saturating_mul(OUTLIER));
        let now = before.saturating_add(seen.saturating_sub(before) / SEEN);
        self.0.store(now.max(1) as u64, Ordering::Relaxed);
    }
}

/// What a connection has been served or promised: the virtual time at which its last text ends.
#[derive(Debug, Default)]
pub(crate) struct Flow(AtomicU64);

impl Flow {
    fn refund(&self, cost: u64) {
        let promised = self.0.load(Ordering::Relaxed);
        self.0.store(promised.saturating_sub(cost), Ordering::Relaxed);
    }
}

/// Those who wait for a CPU.
#[derive(Debug)]
struct Line {
    count: usize,
    free: usize,
    /// CPUs that batches and streams have.
    items: usize,
    last_call: Option<Instant>,
    last_refused: Option<Instant>,
    /// The virtual time: where the text began that got a CPU last.
    now: u64,
    came: u64,
    calls: Queue,
    bulk: Queue,
}

/// By the virtual time at which a text begins, then as they came.
type Turn = (u64, u64);
type Queue = BTreeMap<Turn, Waiter>;

/// One who waits.
#[derive(Debug)]
struct Waiter {
    cost: u64,
    /// Under pressure: when it has waited for as long as a call may.
    until: Option<Instant>,
    next: Next,
    flow: Arc<Flow>,
    /// Its place to wait at.
    _room: Option<Held>,
}

impl Waiter {
    /// Who leaves the line unserved has used nothing.
    fn unserved(self) -> Next {
        self.flow.refund(self.cost);
        self.next
    }
}

/// To whoever waits: its CPU, or why it gets none.
enum Next {
    /// A short text's, which is classified where its call stands.
    Call(oneshot::Sender<Result<Permit, Status>>),
    /// A long text with its work, so that the thread that is done with another goes on with it at once.
    Work(Work),
}

/// Gives the CPU back when it is done.
type Work = Box<dyn FnOnce(Result<Permit, Status>) -> Option<Permit> + Send>;

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Work(_) => "Work",
        })
    }
}

impl Next {
    fn refuse(self, status: Status) {
        match self {
            Self::Call(call) => drop(call.send(Err(status))),
            Self::Work(work) => drop(work(Err(status))),
        }
    }
}

impl Line {
    fn new(count: usize) -> Self {
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
    fn turn(&mut self, flow: &Flow, cost: u64) -> Turn {
        let start = self.now.max(flow.0.load(Ordering::Relaxed));
        flow.0.store(start.saturating_add(cost), Ordering::Relaxed);
        self.came += 1;
        (start, self.came)
    }

    /// A place to wait at, of the connection's part.
    fn room(&mut self, room: Option<&Arc<Share>>) -> Result<Option<Held>, Status> {
        room.map(|room| room.take(1)).transpose().map_err(|refused| {
            self.last_refused = Some(Instant::now());
            status::too_many_waiting(refused)
        })
    }

    /// What is to be done before this turn, beside what is being done.
    fn before(&self, turn: Turn) -> u64 {
        let cost = |queue: &Queue| queue.range(..turn).map(|(_, waiter)| waiter.cost).sum::<u64>();
        cost(&self.calls) + cost(&self.bulk)
    }

    /// Whether a text is to wait for little, of a connection that would have had `promised` without it.
    fn presses(&self, promised: u64, cost: u64) -> bool {
        let pressed = self.last_refused.is_some_and(|last| last.elapsed() < RELIEF);
        let behind = promised.saturating_add(BEHIND.saturating_mul(cost)) <= self.now;
        pressed && !behind
    }

    fn queue(&mut self, part: Part) -> &mut Queue {
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

    fn has_for(&self, part: Part) -> bool {
        match part {
            Part::Call => self.free > 0,
            // Not before those who wait already.
            Part::First | Part::Item => self.bulk.is_empty() && self.has_for_items(),
        }
    }

    fn begin(&mut self, part: Part, (start, _): Turn) {
        self.free -= 1;
        self.items += usize::from(part != Part::Call);
        self.now = self.now.max(start);
    }

    /// The next who waits and can have a CPU.
    fn next(&mut self) -> Option<(Part, Next)> {
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
    fn leave(&mut self, part: Part, turn: Turn) -> Option<Next> {
        Some(self.queue(part).remove(&turn)?.unserved())
    }

    /// Takes those out of the line who have waited for as long as they may.
    fn late(&mut self) -> Vec<Next> {
        let now = Instant::now();
        let too_long = |waiter: &Waiter| waiter.until.is_some_and(|until| until <= now);
        let late: Vec<Turn> =
            self.calls.iter().filter(|(_, waiter)| too_long(waiter)).map(|(turn, _)| *turn).collect();
        if !late.is_empty() {
            self.last_refused = Some(now);
        }
        late.iter().filter_map(|turn| Some(self.calls.remove(turn)?.unserved())).collect()
    }
}

#[derive(Debug)]
struct Cpus {
    line: Mutex<Line>,
    pace: Pace,
}

impl Cpus {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a text that has to wait, its flow charged for it, and until when it may, unless that would be too long.
    fn wait(
        &self,
        line: &mut Line,
        cost: u64,
        flow: &Flow,
        patience: Patience,
    ) -> Result<(Turn, Option<Instant>), Status> {
        let promised = flow.0.load(Ordering::Relaxed);
        let turn = line.turn(flow, cost);
        let before = self.pace.of(line.before(turn) / line.count as u64);
        let presses = patience.wait.is_some() && line.presses(promised, cost);
        let max_wait = patience.wait.map(|wait| if presses { wait.min(PRESSED_WAIT) } else { wait });
        let answered = before + self.pace.of(cost).mul_f64(AT_BEST);
        let refused = match (max_wait, patience.answer) {
            (Some(max_wait), _) if before > max_wait => {
                line.last_refused = Some(Instant::now());
                status::too_long_a_wait(before, max_wait)
            }
            (_, Some(left)) if answered > left => status::deadline_out_of_reach(answered, left),
            _ => return Ok((turn, presses.then(|| Instant::now() + PRESSED_WAIT))),
        };
        flow.0.store(promised, Ordering::Relaxed);
        Err(refused)
    }
}

/// One of the CPUs; the next in the line has it when this is dropped.
#[derive(Debug)]
struct Permit {
    /// `None` once it has been given on.
    cpus: Option<Arc<Cpus>>,
    part: Part,
}

impl Permit {
    fn of(cpus: &Arc<Cpus>, part: Part) -> Self {
        Self { cpus: Some(cpus.clone()), part }
    }

    /// Gives the CPU to the next in the line. If that is work, `mine` says whether it is for this thread.
    fn give_on(&mut self, mine: bool) -> Option<(Work, Self)> {
        let cpus = self.cpus.take()?;
        let late = {
            let mut line = cpus.line();
            line.free += 1;
            line.items -= usize::from(self.part != Part::Call);
            line.late()
        };
        for next in late {
            next.refuse(status::too_long_a_wait(PRESSED_WAIT, PRESSED_WAIT));
        }
        let mut work_here = None;
        // More than one when batches and streams may have all CPUs again.
        loop {
            let next = cpus.line().next();
            let Some((part, next)) = next else { return work_here };
            let permit = Self::of(&cpus, part);
            match next {
                // Of one who has just gone it comes back, and is dropped again.
                Next::Call(call) => drop(call.send(Ok(permit))),
                Next::Work(work) if mine && work_here.is_none() => work_here = Some((work, permit)),
                Next::Work(work) => start(work, permit),
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_on(false);
    }
}

/// Does the work on a thread of its own, then that of those who wait.
fn start(work: Work, permit: Permit) {
    // The runtime may be gone already, and with it whoever waits.
    if Handle::try_current().is_err() {
        return;
    }
    aside::spawn(move || {
        let mut next = Some((work, permit));
        while let Some((work, permit)) = next {
            next = work(Ok(permit)).and_then(|mut permit| permit.give_on(true));
        }
    });
}

/// A text in the line; it leaves when this is dropped.
struct Waiting<'a> {
    cpus: &'a Cpus,
    part: Part,
    turn: Turn,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self.cpus.line().leave(self.part, self.turn);
        // What it would have done is dropped without the line held.
        drop(left);
    }
}

/// A text that is to be classified.
#[derive(Clone, Copy, Debug)]
struct Text<'a> {
    cost: u64,
    part: Part,
    flow: &'a Arc<Flow>,
    /// Where it takes a place to wait at; nowhere when it has been let in already.
    room: Option<&'a Arc<Share>>,
    patience: Patience,
}

/// What a text may wait for.
#[derive(Clone, Copy, Debug, Default)]
struct Patience {
    /// For those before it; none when it has been let in already.
    wait: Option<Duration>,
    /// For its answer, from now on.
    answer: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    cpus: Arc<Cpus>,
    max_wait: Duration,
}

impl Cpu {
    /// Who would wait longer than `max_wait` for those before it in the line is refused.
    pub(crate) fn new(max_wait: Duration) -> Self {
        Self::with(count(), max_wait)
    }

    fn with(count: usize, max_wait: Duration) -> Self {
        let (line, pace) = (Mutex::new(Line::new(count)), Pace(AtomicU64::new(BYTE_NS)));
        Self { cpus: Arc::new(Cpus { line, pace }), max_wait }
    }

    /// Does the work on a text of `bytes` once there is a CPU for it, if the call's connection may wait and it would not be
    /// too long; gives it up when the future is dropped.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        call: &CallContext,
        part: Part,
        work: impl FnOnce(&Stop) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, Status> {
        let let_in = part == Part::Item;
        let text = Text {
            cost: cost(bytes),
            part,
            flow: &call.flow,
            room: (!let_in).then_some(&call.waiting),
            patience: if let_in { Patience::default() } else { self.patience(call) },
        };
        let done = if bytes < LONG_TEXT {
            let _permit = self.permit(&text).await?;
            let begun = Instant::now();
            let done = work(&|| Ok(()));
            self.cpus.pace.learn(text.cost, begun.elapsed());
            done
        } else {
            self.work_aside(&text, work).await?
        };
        done.map_err(|Stopped| status::shutting_down())
    }

    async fn work_aside<T: Send + 'static>(
        &self,
        text: &Text<'_>,
        work: impl FnOnce(&Stop) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<Result<T, Stopped>, Status> {
        let caller = Caller(Arc::new(AtomicBool::new(false)));
        let (gone, cpus, cost) = (caller.0.clone(), self.cpus.clone(), text.cost);
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |permit| {
            let permit = match permit {
                Ok(permit) => permit,
                Err(refused) => {
                    let _ = answer.send(Err(refused));
                    return None;
                }
            };
            let begun = Instant::now();
            let stop = move || {
                aside::breathe();
                if gone.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
            };
            let done = catch_unwind(AssertUnwindSafe(|| work(&stop)));
            // What was given up says nothing of how long it would have taken.
            if matches!(done, Ok(Ok(_))) {
                cpus.pace.learn(cost, begun.elapsed());
            }
            let _ = answer.send(Ok(done));
            Some(permit)
        });
        let _waiting = {
            let mut line = self.cpus.line();
            match self.at_once(&mut line, text) {
                Some(permit) => {
                    drop(line);
                    start(work, permit);
                    None
                }
                None => Some(self.line_up(&mut line, text, Next::Work(work))?),
            }
        };
        let done = answered.await.map_err(|_| status::shutting_down())??;
        Ok(done.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Of a call that has not been let in.
    fn patience(&self, call: &CallContext) -> Patience {
        Patience {
            wait: (!call.hurried).then_some(self.max_wait),
            answer: call.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether a call with a text of `bytes` that is yet to come would be refused now: it need not come then.
    pub(crate) fn would_refuse(&self, bytes: usize, call: &CallContext) -> Result<(), Status> {
        let mut line = self.cpus.line();
        if line.has_for(Part::Call) {
            return Ok(());
        }
        let _room = line.room(Some(&call.waiting))?;
        let promised = call.flow.0.load(Ordering::Relaxed);
        let turn = self.cpus.wait(&mut line, cost(bytes), &call.flow, self.patience(call));
        call.flow.0.store(promised, Ordering::Relaxed);
        turn.map(drop)
    }

    fn at_once(&self, line: &mut Line, text: &Text<'_>) -> Option<Permit> {
        if text.part == Part::Call {
            line.last_call = Some(Instant::now());
        }
        if !line.has_for(text.part) {
            return None;
        }
        let turn = line.turn(text.flow, text.cost);
        line.begin(text.part, turn);
        Some(Permit::of(&self.cpus, text.part))
    }

    /// A place in the line.
    fn line_up(&self, line: &mut Line, text: &Text<'_>, next: Next) -> Result<Waiting<'_>, Status> {
        let &Text { cost, part, flow, room, patience } = text;
        let room = line.room(room)?;
        let (turn, until) = self.cpus.wait(line, cost, flow, patience)?;
        line.queue(part).insert(turn, Waiter { cost, until, next, flow: flow.clone(), _room: room });
        Ok(Waiting { cpus: &self.cpus, part, turn })
    }

    async fn permit(&self, text: &Text<'_>) -> Result<Permit, Status> {
        let (given, _waiting) = {
            let mut line = self.cpus.line();
            if let Some(permit) = self.at_once(&mut line, text) {
                return Ok(permit);
            }
            let (next, given) = oneshot::channel();
            (given, self.line_up(&mut line, text, Next::Call(next))?)
        };
        given.await.map_err(|_| status::shutting_down())?
    }
}

/// Dropped with the call.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Patience = Patience { wait: None, answer: None };

    /// A small one.
    fn text(flow: &Arc<Flow>) -> Text<'_> {
        Text { cost: 1, part: Part::Call, flow, room: None, patience: ANY }
    }

    #[test]
    fn the_pace_is_the_one_seen() {
        let pace = Pace(AtomicU64::new(1_000));
        assert_eq!(pace.of(2_048), Duration::from_micros(2_048));
        for _ in 0..200 {
            pace.learn(1_000, Duration::from_micros(500));
        }
        assert!((500..=516).contains(&pace.0.load(Ordering::Relaxed)));
        pace.learn(1, Duration::MAX);
        assert!(pace.0.load(Ordering::Relaxed) < 700, "one text says little");
        pace.of(u64::MAX);
    }

    /// Names in the order in which they get a CPU, when all have lined up.
    async fn order(cpu: &Cpu, texts: &[(&'static str, u64, Part, &Arc<Flow>)]) -> Vec<&'static str> {
        let held = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (name, cost, part, flow) in texts.iter().cloned() {
            let (cpu, flow, held) = (cpu.clone(), flow.clone(), held.clone());
            tasks.spawn(async move {
                let permit = cpu.permit(&Text { cost, part, ..text(&flow) }).await.unwrap();
                held.lock().unwrap().push(name);
                tokio::task::yield_now().await;
                drop(permit);
            });
        }
        tasks.join_all().await;
        Arc::into_inner(held).unwrap().into_inner().unwrap()
    }

    #[tokio::test]
    async fn who_asks_for_little_goes_before_who_asks_for_much() {
        let cpu = Cpu::with(1, Duration::MAX);
        let [greedy, other, modest] = std::array::from_fn(|_| Arc::new(Flow::default()));
        let text = |name, cost, flow| (name, cost, Part::Call, flow);
        let texts = [
            text("greedy", 10, &greedy),
            text("greedy", 10, &greedy),
            text("greedy", 10, &greedy),
            text("other", 30, &other),
            text("other", 30, &other),
            text("modest", 10, &modest),
        ];
        let order = order(&cpu, &texts).await;
        assert_eq!(order, ["greedy", "other", "modest", "greedy", "greedy", "other"]);
    }

    #[tokio::test]
    async fn streams_leave_a_cpu_while_calls_come_in() {
        let cpu = Cpu::with(2, Duration::MAX);
        let flow = Arc::<Flow>::default();
        let get = async |part| cpu.permit(&Text { part, ..text(&flow) }).await;
        let full = async |part| tokio::time::timeout(Duration::from_millis(20), get(part)).await.is_err();
        let both = (get(Part::First).await.unwrap(), get(Part::Item).await.unwrap());
        assert!(full(Part::Call).await, "they had both before anyone called");
        drop(both);
        let item = get(Part::Item).await.unwrap();
        assert!(full(Part::Item).await && full(Part::First).await);
        drop(get(Part::Call).await.unwrap());
        drop(item);
        let item = get(Part::Item).await.unwrap();
        // Nobody has called for a while.
        cpu.cpus.line().last_call = Instant::now().checked_sub(LEFT_FREE);
        let second = get(Part::Item).await.unwrap();
        drop((item, second));
        let line = cpu.cpus.line();
        assert_eq!((line.free, line.items), (2, 0));
    }

    #[tokio::test]
    async fn who_leaves_the_line_has_used_nothing_and_holds_nothing() {
        let cpu = Cpu::with(1, Duration::ZERO);
        let flow = Arc::<Flow>::default();
        let get = async || cpu.permit(&Text { cost: 1_000, ..text(&flow) }).await;
        let held = get().await.unwrap();
        let promised = flow.0.load(Ordering::Relaxed);
        for _ in 0..10 {
            assert!(tokio::time::timeout(Duration::from_millis(1), get()).await.is_err());
        }
        assert_eq!(flow.0.load(Ordering::Relaxed), promised);
        assert!(cpu.cpus.line().calls.is_empty());
        // Given to one who has gone before it could take it.
        let mut gone = Box::pin(get());
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut gone).await.is_err());
        drop(held);
        drop(gone);
        assert_eq!(cpu.cpus.line().free, 1);
    }

    #[tokio::test]
    async fn who_has_nobody_before_it_is_not_refused_whatever_is_being_done() {
        let cpu = Cpu::with(1, Duration::ZERO);
        let flows: [Arc<Flow>; 3] = Default::default();
        let patience = Patience { wait: Some(Duration::ZERO), ..ANY };
        let get = async |flow| cpu.permit(&Text { cost: 1 << 20, patience, ..text(flow) }).await;
        let held = get(&flows[0]).await.unwrap();
        let mut first = Box::pin(get(&flows[1]));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut first).await.is_err());
        let status = get(&flows[2]).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        drop(held);
        first.await.unwrap();
    }

    #[tokio::test]
    async fn once_refused_who_has_had_its_part_waits_for_little() {
        let cpu = Cpu::with(1, Duration::ZERO);
        // A text of a millisecond.
        let cost = 1_000_000 / BYTE_NS;
        let [greedy, modest]: [Arc<Flow>; 2] = Default::default();
        let patience = Patience { wait: Some(Duration::from_millis(50)), ..ANY };
        let get = async |flow| cpu.permit(&Text { cost, patience, ..text(flow) }).await;
        let _held = get(&greedy).await.unwrap();
        let mut line = Vec::new();
        let mut waits = async |flow| {
            let mut call = Box::pin(get(flow));
            let waits = tokio::time::timeout(Duration::from_millis(1), &mut call).await.is_err();
            line.push(call);
            waits
        };
        let mut before = 0;
        while waits(&greedy).await {
            before += 1;
        }
        assert!((45..=52).contains(&before), "{before}");
        cpu.cpus.line().calls.clear();
        let mut before = 0;
        while waits(&greedy).await {
            before += 1;
        }
        let expected = PRESSED_WAIT.as_millis() as i32;
        assert!((expected - 1..=expected + 2).contains(&before), "{before}");
        // The others are ahead by more than a few texts.
        cpu.cpus.line().now = 100 * cost;
        while waits(&greedy).await {}
        assert!(waits(&modest).await);
        cpu.cpus.line().last_refused = Instant::now().checked_sub(RELIEF);
        assert!(waits(&greedy).await);
    }

    #[tokio::test]
    async fn who_cannot_be_answered_in_time_is_told_at_once() {
        let cpu = Cpu::with(1, Duration::MAX);
        let ms = 1_000_000 / BYTE_NS;
        let flow = Arc::<Flow>::default();
        let get = async |cost, left| {
            let patience = Patience { wait: None, answer: Some(Duration::from_millis(left)) };
            cpu.permit(&Text { cost, patience, ..text(&flow) }).await
        };
        let held = get(75 * ms, 60).await.unwrap();
        let mut other = Box::pin(get(75 * ms, 60));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut other).await.is_err());
        for (cost, left) in [(200 * ms, 60), (ms, 60)] {
            assert_eq!(get(cost, left).await.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        }
        drop(held);
        other.await.unwrap();
        get(ms, 60).await.unwrap();
    }

    #[tokio::test]
    async fn under_pressure_nobody_is_kept_for_longer_than_was_expected() {
        let cpu = Cpu::with(1, Duration::ZERO);
        let flow = Arc::<Flow>::default();
        let patience = Patience { wait: Some(Duration::from_millis(50)), ..ANY };
        let text = Text { patience, ..text(&flow) };
        let get = || Box::pin(cpu.permit(&text));
        let held = get().await.unwrap();
        // Nobody had been refused when it came.
        let mut calm = get();
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut calm).await.is_err());
        let promised = flow.0.load(Ordering::Relaxed);
        cpu.cpus.line().last_refused = Some(Instant::now());
        let mut pressed = get();
        assert!(tokio::time::timeout(2 * PRESSED_WAIT, &mut pressed).await.is_err());
        drop(held);
        let refused = pressed.await.unwrap_err();
        assert!(status::is_for_want_of_room(&refused), "{refused:?}");
        assert_eq!(flow.0.load(Ordering::Relaxed), promised, "it has used nothing");
        drop(calm.await.unwrap());
        assert_eq!(cpu.cpus.line().free, 1);
    }

    #[tokio::test]
    async fn a_thread_that_is_done_with_a_long_text_goes_on_with_the_next() {
        let cpu = Cpu::with(1, Duration::MAX);
        let flow = Arc::<Flow>::default();
        let text = text(&flow);
        let (go_on, waits) = std::sync::mpsc::channel();
        let here = || std::thread::current().id();
        let first = cpu.work_aside(&text, move |_| {
            waits.recv().unwrap();
            Ok(std::thread::current().id())
        });
        let second = cpu.work_aside(&text, move |_| Ok(here()));
        let line_up = async {
            while cpu.cpus.line().calls.is_empty() {
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
        };
        let (first, second, ()) = tokio::join!(first, second, line_up);
        let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
        assert_eq!(first, second);
        assert_ne!(first, here());
        while cpu.cpus.line().free == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_long_text_that_panics_or_is_given_up_leaves_its_cpu() {
        let cpu = Cpu::with(1, Duration::MAX);
        let flow = Arc::<Flow>::default();
        let small = text(&flow);
        let given_up = cpu.work_aside(&small, |stop| {
            while stop().is_ok() {}
            Err::<(), _>(Stopped)
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), given_up).await.is_err());
        let failed = tokio::spawn({
            let cpu = cpu.clone();
            async move { cpu.work_aside::<()>(&text(&Arc::default()), |_| panic!("as it was told")).await.is_ok() }
        });
        assert!(failed.await.unwrap_err().is_panic());
        while cpu.cpus.line().free == 0 {
            tokio::task::yield_now().await;
        }
    }
}
