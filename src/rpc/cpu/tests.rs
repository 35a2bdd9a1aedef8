use super::line::{LEFT_FREE, PRESSED_WAIT, RELIEF};
use super::pace::BYTE_NS;
use super::*;
use tonic_types::StatusExt;

const ANY: Patience = Patience { wait: None, answer: None };

/// A small one.
fn text(flow: &Arc<Flow>) -> Text<'_> {
    Text { cost: 1, part: Part::Call, flow, room: None, patience: ANY }
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
    let promised = flow.promised();
    for _ in 0..10 {
        assert!(tokio::time::timeout(Duration::from_millis(1), get()).await.is_err());
    }
    assert_eq!(flow.promised(), promised);
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
async fn under_pressure_nobody_is_overtaken_but_by_who_had_less_than_its_part() {
    let cpu = Cpu::with(1, Duration::ZERO);
    // A text of half a millisecond.
    let cost = 500_000 / BYTE_NS;
    let [first, greedy, other, modest]: [Arc<Flow>; 4] = Default::default();
    let patience = Patience { wait: Some(Duration::from_millis(50)), ..ANY };
    let get = async |flow| cpu.permit(&Text { cost, patience, ..text(flow) }).await;
    let held = get(&first).await.unwrap();
    {
        let mut line = cpu.cpus.line();
        (line.now, line.last_refused) = (100 * cost, Some(Instant::now()));
    }
    // Both have had their part, one of them more; `modest` has had nothing.
    greedy.promise(103 * cost);
    other.promise(100 * cost);
    let mut calls = [&greedy, &other, &modest].map(|flow| Box::pin(get(flow)));
    for call in &mut calls {
        assert!(tokio::time::timeout(Duration::ZERO, call).await.is_err());
    }
    drop(held);
    let [greedy, other, modest] = calls;
    // Each gets its CPU only when the one before it has given it back.
    for call in [modest, greedy, other] {
        drop(tokio::time::timeout(Duration::from_secs(5), call).await.expect("its turn").unwrap());
    }
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
    // Shorter than what is waited for at most.
    let max_wait = PRESSED_WAIT / 2;
    let patience = Patience { wait: Some(max_wait), ..ANY };
    let text = Text { patience, ..text(&flow) };
    let get = || Box::pin(cpu.permit(&text));
    let held = get().await.unwrap();
    // Nobody had been refused when it came.
    let mut calm = get();
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut calm).await.is_err());
    let promised = flow.promised();
    cpu.cpus.line().last_refused = Some(Instant::now());
    let mut pressed = get();
    assert!(tokio::time::timeout(2 * PRESSED_WAIT, &mut pressed).await.is_err());
    drop(held);
    let refused = pressed.await.unwrap_err();
    assert!(status::is_for_want_of_room(&refused), "{refused:?}");
    let told = refused.get_details_error_info().unwrap();
    assert_eq!(told.metadata["max_wait_ms"], max_wait.as_millis().to_string());
    assert_eq!(flow.promised(), promised, "it has used nothing");
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
