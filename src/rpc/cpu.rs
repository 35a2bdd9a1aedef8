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
//! other wait. So how long is too long depends on whether anybody has just been refused ([`PRESSED_WAIT`]). Then
//! who has had its part overtakes nobody, as whoever it overtook would be refused later, after all that has been done for it; and no
//! call is kept for much longer than was expected ([`Pressed`]). Who would have to wait and could not be answered before
//! its deadline is told so at once, too; a CPU that is free is used, whatever is expected, so that a wrong expectation does
//! not last.

mod line;
mod pace;
#[cfg(test)]
mod tests;

pub(crate) use line::Flow;

use self::line::{Line, PRESSED_WAIT, Pressed, Turn, Waiter};
use self::pace::{Pace, cost};
use crate::rpc::aside;
use crate::rpc::call::CallContext;
use crate::rpc::share::Share;
use crate::rpc::status;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A text that would not be answered in time even if it took only so much of what such texts take does not wait.
const AT_BEST: f64 = 2.0 / 3.0;

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

#[derive(Debug)]
struct Cpus {
    line: Mutex<Line<Next>>,
    pace: Pace,
}

impl Cpus {
    fn line(&self) -> MutexGuard<'_, Line<Next>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a text that has to wait, its flow charged for it, and how it waits under pressure, unless that would
    /// be too long.
    fn wait(
        &self,
        line: &mut Line<Next>,
        cost: u64,
        flow: &Flow,
        patience: Patience,
    ) -> Result<(Turn, Option<Pressed>), Status> {
        let promised = flow.promised();
        let presses = patience.wait.is_some() && line.presses(promised, cost);
        let turn = if presses { line.last_turn(flow, cost) } else { line.turn(flow, cost) };
        let before = self.pace.of(line.before(turn) / line.count as u64);
        let max_wait = patience.wait.map(|wait| if presses { wait.min(PRESSED_WAIT) } else { wait });
        // Half of what is being done is still to do, which counts where so little is waited for.
        let begun = if presses { self.pace.of(cost) / 2 } else { Duration::ZERO };
        let answered = before + self.pace.of(cost).mul_f64(AT_BEST);
        let refused = match (max_wait, patience.answer) {
            (Some(max_wait), _) if !before.is_zero() && before + begun > max_wait => {
                line.last_refused = Some(Instant::now());
                status::too_long_a_wait(before + begun, max_wait)
            }
            (_, Some(left)) if answered > left => status::deadline_out_of_reach(answered, left),
            _ => return Ok((turn, max_wait.filter(|_| presses).map(Pressed::now))),
        };
        flow.promise(promised);
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
        let late = cpus.line().end(self.part);
        for (next, pressed) in late {
            next.refuse(pressed.refused());
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
        let (line, pace) = (Mutex::new(Line::new(count)), Pace::new());
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
        let promised = call.flow.promised();
        let turn = self.cpus.wait(&mut line, cost(bytes), &call.flow, self.patience(call));
        call.flow.promise(promised);
        turn.map(drop)
    }

    fn at_once(&self, line: &mut Line<Next>, text: &Text<'_>) -> Option<Permit> {
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
    fn line_up(&self, line: &mut Line<Next>, text: &Text<'_>, next: Next) -> Result<Waiting<'_>, Status> {
        let &Text { cost, part, flow, room, patience } = text;
        let room = line.room(room)?;
        let (turn, pressed) = self.cpus.wait(line, cost, flow, patience)?;
        line.queue(part).insert(turn, Waiter { cost, pressed, next, flow: flow.clone(), _room: room });
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
