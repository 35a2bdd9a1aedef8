//! The server under test and what can be seen of it from outside.

use glotsift::rpc::pb;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Endpoint};

pub type Client = ClassifierServiceClient<Channel>;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// Milliseconds of calls that did not end well, by the server's own clock, as its log tells them.
    refused: Arc<Mutex<Vec<f64>>>,
    /// From the start of the process to its port being open.
    pub listening_after: Duration,
}

/// The CPUs there are in two halves, where they are not one: for the server, and for who calls it.
pub fn halves() -> Option<[CpuSet; 2]> {
    let all = sched_getaffinity(None).unwrap();
    let count = all.count() as usize;
    let mut halves = [CpuSet::new(), CpuSet::new()];
    for (i, cpu) in (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).enumerate() {
        halves[usize::from(2 * i >= count)].set(cpu);
    }
    (count > 1).then_some(halves)
}

impl Server {
    /// A server that runs on some of the CPUs.
    pub fn start_on(cpus: &CpuSet, args: &[&str]) -> Self {
        // what a thread starts has its CPUs
        let own = sched_getaffinity(None).unwrap();
        sched_setaffinity(None, cpus).unwrap();
        let server = Self::start(args);
        sched_setaffinity(None, &own).unwrap();
        server
    }

    pub fn start(args: &[&str]) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "info"])
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended at once");
            if let Some((_, after)) = line.split_once("listening on ") {
                let end = after.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap();
                break after[..end].parse().unwrap();
            }
        };
        let listening_after = begun.elapsed();
        // Its log must be read, or it would wait to write.
        let refused = Arc::<Mutex<Vec<f64>>>::default();
        let seen = refused.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while log.read_line(&mut line).is_ok_and(|n| n > 0) {
                if let Some((_, after)) = line.split_once("latency_us=") {
                    let micros = after.split_whitespace().next().unwrap().parse::<f64>().unwrap();
                    seen.lock().unwrap().push(micros / 1e3);
                }
                line.clear();
            }
        });
        Self { child, address, refused, listening_after }
    }

    /// See `refused`.
    pub fn own_times(&self) -> Vec<f64> {
        self.refused.lock().unwrap().clone()
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    pub async fn client(&self) -> Client {
        ClassifierServiceClient::new(self.channel().await)
    }

    /// Answers, and has answered enough for its memory to be what it stays.
    pub async fn warmed(self) -> Self {
        let mut client = self.client().await;
        for _ in 0..200 {
            client.classify_article(article(SHORT)).await.unwrap();
        }
        self
    }

    fn status(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Memory in MiB: now, and the most there has been.
    pub fn rss(&self) -> f64 {
        self.status("VmRSS:") / 1024.0
    }

    pub fn peak(&self) -> f64 {
        self.status("VmHWM:") / 1024.0
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Seconds of CPU used so far.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after = stat.rsplit(')').next().unwrap();
        let ticks: Vec<f64> = after.split_whitespace().skip(11).take(2).map(|n| n.parse().unwrap()).collect();
        ticks.iter().sum::<f64>() / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const SHORT: &str = "The committee will meet again in the spring, when the members of both houses are expected \
    to vote on the new budget. Until then the former one remains in force, said a speaker on Monday.";

pub fn article(text: &str) -> pb::ClassifyArticleRequest {
    let article = pb::Article { text: text.to_owned(), ..Default::default() };
    pb::ClassifyArticleRequest { article: Some(article), ..Default::default() }
}

/// An article of some kilobytes, as they are.
pub fn usual() -> String {
    SHORT.repeat(10)
}

/// A text of so many bytes with words that do not repeat.
pub fn long(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let words: Vec<&str> = SHORT.split(' ').collect();
    for i in 0_usize.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(words[(i * 7 + i / 13) % words.len()]);
        text.push_str(if i % 17 == 16 { ".\n" } else { " " });
    }
    text.truncate(bytes);
    text
}

/// Milliseconds, of which so many percent are at or below.
pub fn percentile(times: &mut [f64], percent: f64) -> f64 {
    if times.is_empty() {
        return f64::NAN;
    }
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * percent / 100.0).round() as usize]
}

pub fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
