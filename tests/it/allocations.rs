//! How often the pipeline asks the heap for memory: not for every n-gram, nor for every word.

// The counting allocator is that of the benchmarks: it hands every call on to the system's.
#[allow(unsafe_code)]
#[path = "../../bench/src/bin/pipeline/alloc.rs"]
mod counting;

use glotsift::classify::{Options, classify};
use glotsift::cli::bench::prose::{Prose, Random};
use glotsift::model::Model;
use glotsift::text::Article;

/// Allocations and reallocations of one article, the buffers being warm: the least of some tries, as another test's
/// thread may take the buffers meanwhile and leave new ones.
fn of(model: &Model, text: &str) -> u64 {
    let article = Article { text, ..Article::default() };
    let options = Options::default();
    drop(classify(model, &article, &options));
    let once = |_| counting::during(|| drop(classify(model, &article, &options)));
    (0..5).map(once).min().unwrap_or(0)
}

#[test]
fn an_article_takes_few_allocations() {
    let model = Model::built_in();
    let all = Prose::all();
    let text = |prose: &Prose, seed, bytes| prose.article(&mut Random(seed), bytes);
    let mut counts: Vec<(u64, &str)> =
        all.iter().map(|prose| (of(&model, &text(prose, 7, 3_000)), prose.code)).collect();
    counts.sort_unstable();
    assert!(counts[counts.len() / 2].0 <= 15, "half of them: {counts:?}");
    assert!(counts[counts.len() - 1].0 <= 30, "all: {counts:?}");
}

#[test]
fn more_text_takes_hardly_more() {
    let model = Model::built_in();
    for prose in Prose::all() {
        let text = prose.article(&mut Random(9), 40_000);
        let half = (0..=20_000).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (short, long) = (of(&model, &text[..half]), of(&model, &text));
        // thousands of words and n-grams more: buffers grow once or twice more
        assert!(long <= short + 20, "{}: {short} for half, {long}", prose.code);
    }
}
