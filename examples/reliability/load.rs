//! Deadlines, overload, fairness, a long run, the start.

use crate::hostile;
use crate::server::{Client, Server, article, halves, long, ms, percentile, usual};
use crate::{Outcome, outcome};
use bytes::Bytes;
use prost::Message;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Codes and milliseconds of a thousand calls with a megabyte, 64 in flight.
async fn megabytes(server: &Server, headers: &'static [(&str, &str)]) -> (Vec<Code>, Vec<f64>) {
    let mut channels = Vec::new();
    for _ in 0..8 {
        channels.push(hostile::http2(server.address).await);
    }
    let body = hostile::framed(false, &article(&long(1_000_000)).encode_to_vec());
    let flying = Arc::new(Semaphore::new(64));
    let mut calls = JoinSet::new();
    for i in 0..1_000 {
        let place = flying.clone().acquire_owned().await.unwrap();
        // Not tonic's client, which would end the call itself.
        let (sender, body) = (channels[i % channels.len()].clone(), body.clone());
        calls.spawn(async move {
            let begun = Instant::now();
            let code = hostile::post(sender, hostile::CLASSIFY, headers, body).await.code();
            drop(place);
            (code, ms(begun))
        });
    }
    calls.join_all().await.into_iter().unzip()
}

/// T1: megabytes against a deadline of 50 ms.
pub async fn deadlines() -> Outcome {
    let mut reading = {
        // Every text is too long: this is what sending and reading it takes.
        let server = Server::start(&["--max-text-bytes", "1000"]).warmed().await;
        megabytes(&server, &[]).await.1
    };
    let server = Server::start(&[]).warmed().await;
    let (codes, mut times) = megabytes(&server, &[("grpc-timeout", "50m")]).await;
    let right = codes.iter().filter(|code| **code == Code::DeadlineExceeded).count();
    let idle = {
        let ended = Instant::now();
        loop {
            let before = server.cpu();
            sleep(Duration::from_millis(50)).await;
            if server.cpu() - before < 0.011 || ended.elapsed() > Duration::from_secs(10) {
                break ms(ended) - 50.0;
            }
        }
    };
    let [p50, p99, most] = [50.0, 99.0, 100.0].map(|percent| percentile(&mut times, percent));
    let mut own = server.own_times();
    let [own_p50, own_most] = [50.0, 100.0].map(|percent| percentile(&mut own, percent));
    let [read_p50, read_p99] = [50.0, 99.0].map(|percent| percentile(&mut reading, percent));
    outcome(
        right == 1_000 && most <= 75.0 && idle <= 100.0,
        format!(
            "1,000 calls of 1 MB, 64 in flight: {right} DEADLINE_EXCEEDED; answered after p50 {p50:.0} ms, \
            p99 {p99:.0}, most {most:.0} (75), by the server's clock p50 {own_p50:.0}, most {own_most:.0}; CPU idle \
            {idle:.0} ms after the last (100); the same texts only read and refused, without a deadline: \
            p50 {read_p50:.0}, p99 {read_p99:.0}"
        ),
    )
}

/// What an open loop saw.
#[derive(Default)]
struct Seen {
    accepted: Vec<f64>,
    refused: Vec<f64>,
    without_retry: usize,
    failed: usize,
}

impl Seen {
    fn add(&mut self, answer: Result<(), Status>, took: f64) {
        match answer {
            Ok(()) => self.accepted.push(took),
            Err(status) if status.code() == Code::ResourceExhausted => {
                self.refused.push(took);
                self.without_retry += usize::from(status.get_details_retry_info().is_none());
            }
            Err(_) => self.failed += 1,
        }
    }

    fn sent(&self) -> usize {
        self.accepted.len() + self.refused.len() + self.failed
    }
}

/// A client that makes its message once and does not read its answers, as it shares the cores with the server.
#[derive(Clone)]
struct Caller {
    address: SocketAddr,
    sender: Arc<Mutex<hostile::Sender>>,
    body: Bytes,
    /// How often a call that is refused for want of room comes again, when it is told to.
    again: u32,
    /// Calls that were.
    told_to: Arc<AtomicU64>,
}

impl Caller {
    async fn of(server: &Server, text: &str) -> Self {
        let body = hostile::framed(false, &article(text).encode_to_vec());
        let (address, sender) = (server.address, hostile::http2(server.address).await);
        Self { address, sender: Arc::new(Mutex::new(sender)), body, again: 0, told_to: Arc::default() }
    }

    async fn call(&self) -> Result<(), Status> {
        let mut again = self.again;
        loop {
            let answer = self.answer().await;
            let told = answer.as_ref().err().and_then(StatusExt::get_details_retry_info);
            let Some(after) = told.and_then(|told| told.retry_delay).filter(|_| again > 0) else {
                return answer;
            };
            again -= 1;
            self.told_to.fetch_add(1, Ordering::Relaxed);
            sleep(after).await;
        }
    }

    async fn answer(&self) -> Result<(), Status> {
        let mut status = self.once().await;
        if status.code() == Code::Unknown {
            // Connections are ended at a certain age: what came too late on one is to be asked again.
            status = self.once().await;
        }
        if status.code() == Code::Ok { Ok(()) } else { Err(status) }
    }

    async fn once(&self) -> Status {
        let mut sender = self.sender.lock().unwrap().clone();
        if sender.is_closed() {
            sender = hostile::http2(self.address).await;
            *self.sender.lock().unwrap() = sender.clone();
        }
        hostile::post(sender, hostile::CLASSIFY, &[], self.body.clone()).await
    }
}

async fn one(client: &mut Client, text: &str) -> Result<(), Status> {
    client.classify_article(article(text)).await.map(drop)
}

/// So many calls a second, whatever becomes of them.
async fn open_loop(callers: Vec<Caller>, per_second: f64, lasts: Duration) -> Seen {
    let (mut calls, mut seen) = (JoinSet::new(), Seen::default());
    let begun = tokio::time::Instant::now();
    let count = (per_second * lasts.as_secs_f64()) as usize;
    for i in 0..count {
        sleep_until(begun + Duration::from_secs_f64(i as f64 / per_second)).await;
        let caller = callers[i % callers.len()].clone();
        calls.spawn(async move {
            let begun = Instant::now();
            let answer = caller.call().await;
            (answer, ms(begun))
        });
        while let Some(done) = calls.try_join_next() {
            let (answer, took) = done.unwrap();
            seen.add(answer, took);
        }
    }
    while let Some(done) = calls.join_next().await {
        let (answer, took) = done.unwrap();
        seen.add(answer, took);
    }
    seen
}

/// Calls a second that eight clients get through who each wait for their answer.
async fn capacity(callers: Vec<Caller>, lasts: Duration) -> f64 {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(async move {
            let mut done = 0_u64;
            while begun.elapsed() < lasts {
                done += u64::from(caller.call().await.is_ok());
            }
            done
        });
    }
    let done: u64 = tasks.join_all().await.into_iter().sum();
    done as f64 / begun.elapsed().as_secs_f64()
}

async fn callers(server: &Server, count: usize, text: &str) -> Vec<Caller> {
    let mut callers = Vec::new();
    for _ in 0..count {
        callers.push(Caller::of(server, text).await);
    }
    callers
}

/// Seconds of CPU that this process has used, its server's not among them.
fn own_cpu() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// T2: four times what can be done, for a minute; the server on half of the CPUs, who calls it on the others, as
/// making four calls for one that is answered costs about what refusing three does, and would elsewhere be another
/// machine's to do.
pub fn overload() -> Outcome {
    match halves() {
        Some([servers, callers]) => on(&callers, overloaded(|| Server::start_on(&servers, &[]))),
        None => on(&sched_getaffinity(None).unwrap(), overloaded(|| Server::start(&[]))),
    }
}

/// T2S: the same on CPUs that all share.
pub async fn overload_shared() -> Outcome {
    overloaded(|| Server::start(&[])).await
}

/// Runs a test on some of the CPUs.
fn on(cpus: &CpuSet, test: impl Future<Output = Outcome> + Send) -> Outcome {
    let run = || {
        sched_setaffinity(None, cpus).unwrap();
        let threads = cpus.count() as usize;
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        runtime.block_on(test)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Longer than the server takes itself for pressed after its last refusal.
const RELIEF: Duration = Duration::from_millis(1_500);

/// What can be done at once, and what half of it takes.
async fn unhurried(callers: &[Caller]) -> (f64, Vec<f64>) {
    sleep(RELIEF).await;
    let most = capacity(callers.to_vec(), Duration::from_secs(5)).await;
    (most, open_loop(callers.to_vec(), most * 0.5, Duration::from_secs(5)).await.accepted)
}

/// Milliseconds that the health check takes, twenty times a second.
async fn healths(server: &Server, lasts: Duration) -> Vec<f64> {
    let mut client = tonic_health::pb::health_client::HealthClient::new(server.channel().await);
    let (begun, mut times) = (Instant::now(), Vec::new());
    let mut tick = interval(Duration::from_millis(50));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while begun.elapsed() < lasts {
        tick.tick().await;
        let begun = Instant::now();
        client.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
        times.push(ms(begun));
    }
    times
}

/// Seconds until half of the calls are answered as soon as `usual`, in milliseconds.
async fn normal_after(caller: &Caller, usual: f64) -> f64 {
    let begun = Instant::now();
    loop {
        let mut times = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            let _ = caller.call().await;
            times.push(ms(begun));
        }
        if percentile(&mut times, 50.0) <= usual || begun.elapsed() > Duration::from_secs(10) {
            return begun.elapsed().as_secs_f64();
        }
    }
}

/// The speed of a machine that others share may change by more within the minute than is asked here: what can be done is found
/// before and after, and where that differs by more than a tenth the minute says nothing and is tried again, twice.
const STEADY: f64 = 0.1;
const TRIES: usize = 3;

async fn overloaded(start: impl FnOnce() -> Server) -> Outcome {
    let server = start().warmed().await;
    let callers = callers(&server, 8, &long(32_000)).await;
    let (mut most, mut half) = unhurried(&callers).await;
    let rss = server.rss();
    let lasts = Duration::from_secs(60);
    let mut tried = 0;
    let (after, own, normal, mut seen, mut health) = loop {
        tried += 1;
        let before = own_cpu();
        let asked = open_loop(callers.clone(), most * 4.0, lasts);
        let (seen, health) = tokio::join!(asked, healths(&server, lasts));
        let own = (own_cpu() - before) / lasts.as_secs_f64();
        let normal = normal_after(&callers[0], percentile(&mut half, 99.0)).await;
        let (after, unhurried) = unhurried(&callers).await;
        half.extend(&unhurried);
        if (after - most).abs() <= STEADY * most || tried == TRIES {
            break (after, own, normal, seen, health);
        }
        (most, half) = (after, unhurried);
    };
    let grown = server.peak() - rss;
    let (could, lasts) = ((most + after) / 2.0, lasts.as_secs_f64());
    let base = percentile(&mut half, 99.0);
    let goodput = seen.accepted.len() as f64 / lasts / could;
    let (accepted, refused) = (percentile(&mut seen.accepted, 99.0), percentile(&mut seen.refused, 99.0));
    let refused_median = percentile(&mut seen.refused, 50.0);
    let health = percentile(&mut health, 99.0);
    outcome(
        goodput >= 0.9
            && accepted <= 3.0 * base
            && refused <= 10.0
            && seen.without_retry == 0
            && seen.failed == 0
            && grown <= 64.0
            && health <= 50.0
            && normal <= 2.0,
        format!(
            "C {could:.0}/s of 32 kB ({most:.0} before, {after:.0} after, try {tried}); at 4 C for {lasts:.0} s {:.0}% of C answered (90), \
            p99 {accepted:.1} ms against {base:.1} at half C (3x); {} refused, p50 {refused_median:.1} ms, \
            p99 {refused:.1} (10), {} without RetryInfo, {} failed otherwise; memory +{grown:.0} MiB (64), health p99 \
            {health:.0} ms (50), normal after {normal:.1} s (2); the callers themselves took {own:.2} CPUs",
            goodput * 100.0,
            seen.refused.len(),
            seen.without_retry,
            seen.failed
        ),
    )
}

/// T3: one client asks for nine tenths of twice the capacity, nine for the rest.
pub async fn fairness() -> Outcome {
    let server = Server::start(&[]).warmed().await;
    let text = long(32_000);
    let most = capacity(callers(&server, 8, &text).await, Duration::from_secs(5)).await;
    let lasts = Duration::from_secs(10);
    let (total, mut tasks) = (most * 2.0, JoinSet::new());
    tasks.spawn(open_loop(callers(&server, 1, &text).await, total * 0.9, lasts));
    for _ in 0..9 {
        tasks.spawn(open_loop(callers(&server, 1, &text).await, total * 0.1 / 9.0, lasts));
    }
    let mut all = tasks.join_all().await;
    // The one that sent most is the greedy one.
    all.sort_by_key(Seen::sent);
    let greedy = all.pop().unwrap();
    let (sent, lost) = all
        .iter()
        .fold((0, 0), |(sent, lost), seen| (sent + seen.sent(), lost + seen.sent() - seen.accepted.len()));
    let share = |lost: usize, sent: usize| 100.0 * lost as f64 / sent.max(1) as f64;
    let losses = share(lost, sent);
    outcome(
        losses <= 1.0 && sent > 0,
        format!(
            "twice C, one client 90%: it lost {:.1}%, the nine {losses:.2}% of {sent} (1)",
            share(greedy.sent() - greedy.accepted.len(), greedy.sent())
        ),
    )
}

/// What comes between the calls of T25.
const OTHERS: [&str; 5] = [
    include_str!("../../tests/fixtures/articles/german_science.txt"),
    include_str!("../../tests/fixtures/articles/hindi_education.txt"),
    include_str!("../../tests/fixtures/articles/japanese_labour.txt"),
    include_str!("../../tests/fixtures/articles/russian_health.txt"),
    include_str!("../../tests/fixtures/articles/spanish_economy.txt"),
];

/// T25: from nothing to the first answer, on the connection that asked for health.
pub async fn start() -> Outcome {
    // The caller's own first call is not what is asked.
    drop(Server::start(&[]).warmed().await);
    let begun = Instant::now();
    let server = Server::start(&[]);
    let channel = server.channel().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    while health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap().into_inner().status()
        != serving
    {
        sleep(Duration::from_millis(1)).await;
    }
    let ready = ms(begun);
    let (mut client, text) = (Client::new(channel), usual());
    let mut times = Vec::new();
    for i in 0..101 {
        let begun = Instant::now();
        one(&mut client, &text).await.unwrap();
        times.push(ms(begun));
        // The first comes to caches that hold nothing of its text: nor are the others to find what the one before left.
        one(&mut client, OTHERS[i % OTHERS.len()]).await.unwrap();
    }
    let first = times[0];
    let median = percentile(&mut times, 50.0);
    outcome(
        ready <= 1_000.0 && first <= 2.0 * median,
        format!(
            "listening after {:.0} ms, SERVING after {ready:.0} (1,000); first call {first:.2} ms, \
            median {median:.2} with articles in other languages in between (2x)",
            server.listening_after.as_secs_f64() * 1e3
        ),
    )
}

/// T13: seven tenths of the load with a fifth of it hostile. Seconds by `--seconds`. What is all of it is found anew for
/// each twelfth, the attacks being left off: a machine that others share has no one speed.
pub async fn soak(lasts: Duration) -> Outcome {
    let server = Arc::new(Server::start(&["--handshake-seconds", "5"]).warmed().await);
    let mut callers = callers(&server, 8, &usual()).await;
    let most = capacity(callers.clone(), Duration::from_secs(5)).await;
    // The machine may get slower at any time: callers do as they are told.
    callers.iter_mut().for_each(|caller| caller.again = 3);
    let (stop, quiet) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let attacks = Arc::new(AtomicU64::new(0));
    let hostile = {
        let (server, stop, attacks) = (server.clone(), stop.clone(), attacks.clone());
        let quiet = quiet.clone();
        let every = Duration::from_secs_f64(1.0 / (most * 0.14).min(400.0));
        hostile::elsewhere().spawn(async move {
            let (mut tick, mut under_way) = (interval(every), JoinSet::new());
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                if quiet.load(Ordering::Relaxed) {
                    continue;
                }
                let n = attacks.fetch_add(1, Ordering::Relaxed);
                under_way.spawn(hostile::one_of_many(server.address, n));
                while under_way.try_join_next().is_some() {}
            }
            under_way.join_all().await;
        })
    };
    // The first third fills what is filled once.
    let slices = 12;
    let slice = lasts / slices;
    let finding = slice.min(Duration::from_secs(50)) / 10;
    let (mut memory, mut descriptors, mut p99, mut speeds) = (vec![], vec![], vec![], vec![]);
    let (mut lost, mut sent) = (0, 0);
    for _ in 0..slices {
        quiet.store(true, Ordering::Relaxed);
        let most = capacity(callers.clone(), finding).await;
        quiet.store(false, Ordering::Relaxed);
        speeds.push(most);
        let mut seen = open_loop(callers.clone(), most * 0.56, slice - finding).await;
        lost += seen.sent() - seen.accepted.len();
        sent += seen.sent();
        p99.push(percentile(&mut seen.accepted, 99.0));
        memory.push(server.rss());
        descriptors.push(server.descriptors());
    }
    stop.store(true, Ordering::Relaxed);
    hostile.await.unwrap();
    let late = slices as usize / 3;
    let hours = slice.as_secs_f64() / 3600.0;
    let slope = slope(&memory[late..]) / hours;
    let halves = |of: &[f64]| {
        let (first, second) = of.split_at(of.len() / 2);
        (median(first), median(second))
    };
    let (before, after) = halves(&p99[late..]);
    // In calls that the machine could have answered meanwhile, so that its own speed does not count.
    let own: Vec<f64> = p99.iter().zip(&speeds).map(|(p99, speed)| p99 * speed).collect();
    let (own_before, own_after) = halves(&own[late..]);
    let again: u64 = callers.iter().map(|caller| caller.told_to.load(Ordering::Relaxed)).sum();
    let drift = 100.0 * (own_after / own_before - 1.0);
    speeds.sort_by(f64::total_cmp);
    let (fds_first, fds_last) = (descriptors[late], *descriptors.last().unwrap());
    // Minutes cannot resolve a mebibyte an hour: half a mebibyte is what an allocator's arena moves by.
    let moved = memory.last().unwrap() - memory[late];
    outcome(
        lost == 0
            && moved <= (1.0 * lasts.as_secs_f64() / 3600.0).max(2.0)
            && fds_last <= fds_first + 40
            && drift <= 10.0,
        format!(
            "{:.0} s at 0.7 C (C {:.0} to {:.0}/s) with {} attacks: {lost} of {sent} lost, {again} told to \
            come again; memory {:.1} to {:.1} MiB over the last \
            two thirds ({slope:+.1} MiB/h), descriptors {fds_first} to {fds_last}, p99 {before:.1} to {after:.1} ms, times C {drift:+.0}%",
            lasts.as_secs_f64(),
            speeds[0],
            speeds[speeds.len() - 1],
            attacks.load(Ordering::Relaxed),
            memory[late],
            memory.last().unwrap()
        ),
    )
}

fn median(of: &[f64]) -> f64 {
    percentile(&mut of.to_vec(), 50.0)
}

/// Least squares, per step.
fn slope(of: &[f64]) -> f64 {
    let n = of.len() as f64;
    let (x, y) = ((n - 1.0) / 2.0, of.iter().sum::<f64>() / n);
    let up: f64 = of.iter().enumerate().map(|(i, v)| (i as f64 - x) * (v - y)).sum();
    let across: f64 = (0..of.len()).map(|i| (i as f64 - x).powi(2)).sum();
    up / across
}
