use crate::support::{fixture, model};
use glotsift::bayes::Variant;
use glotsift::train::fit::{Recipe, Rows, fit_table};
use glotsift::train::ledger::Ledger;

/// The levels of a codebook lie a constant factor apart, so a stored weight is off by less than half of it.
fn furthest(codebook: &[f32]) -> f32 {
    codebook.windows(2).map(|w| 0.5 * (w[1] - w[0]) / w[0]).fold(0.0, f32::max)
}

/// Counts of a few hundred features of one table, kept when the shipped model was trained
/// (scripts/train-default.sh): fitting them must give the weights that are shipped.
#[test]
fn the_shipped_weights_are_what_linfa_fits() {
    let model = model();
    let (task, card) = (model.topic().unwrap(), &model.manifest().unwrap().tasks["topic"]);
    let recipe = card.recipe.as_ref().unwrap();
    let recipe = Recipe {
        variant: match recipe.variant.as_str() {
            "complement" => Variant::Complement,
            "multinomial" => Variant::Multinomial,
            other => panic!("variant {other:?}"),
        },
        alpha: recipe.alpha,
        balance: recipe.balance,
        smallest_cell: recipe.smallest_cell,
        // Whatever is kept has the weights of the whole fit, without the faint ones.
        bytes: f64::INFINITY,
        min_label_documents: 1,
    };
    let bytes = zstd::decode_all(std::fs::File::open(fixture("topic_slice.counts")).unwrap()).unwrap();
    let mut ledger = Ledger::from_bytes(&bytes, "topic", task.spec).unwrap();
    assert!(ledger.labels.iter().map(String::as_str).eq(task.labels.iter().map(|l| &*l.name)));
    let (name, counts) = ledger.counts.tables.iter_mut().next().unwrap();
    let rows = Rows::new(counts, task.labels.len(), &recipe, |_| true);
    let fitted = fit_table(name, &rows, &recipe, &[]).unwrap();

    let shipped = &task.weights.tables()[task.weights.table(name).unwrap()];
    assert_eq!(fitted.documents, shipped.documents);
    for (fitted, shipped) in fitted.bias.iter().zip(&shipped.bias) {
        assert!(fitted == shipped || (fitted - shipped).abs() < 1e-4 * fitted.abs(), "{fitted} {shipped}");
    }
    let books = task.weights.codebooks();
    let books = [&books.narrow, &books.wide, &books.nibble];
    let near = books.iter().map(|book| furthest(book)).fold(0.0, f32::max);
    // Weights below the lowest level of a nibble are stored as that level.
    let lowest = books[2][0];
    let (mut found, mut wrong, mut sum_fitted, mut sum_shipped) = (0, Vec::new(), 0.0, 0.0);
    // The counts of all other features are in there as one, and as many without counts.
    for feature in fitted.features.iter().filter(|f| f.hash > u64::from(u32::MAX)) {
        let mut stored = Vec::new();
        if !task.weights.look_up(shipped, feature.hash, |label, weight| stored.push((label as u16, weight))) {
            continue;
        }
        found += 1;
        stored.sort_by_key(|w| w.0);
        let same = stored.len() == feature.weights.len()
            && stored.iter().zip(&feature.weights).all(|(stored, fitted)| {
                stored.0 == fitted.0 && (stored.1 - fitted.1).abs() <= near * fitted.1 + lowest
            });
        if same {
            sum_fitted += feature.weights.iter().map(|w| w.1).sum::<f32>();
            sum_shipped += stored.iter().map(|w| w.1).sum::<f32>();
        } else {
            wrong.push((feature, stored));
        }
    }
    assert!(found >= 100, "only {found} of the features are in the shipped table");
    // Two in a thousand features share bucket and fingerprint with another.
    assert!(wrong.len() <= found / 50, "{} of {found}: {:?}", wrong.len(), wrong[0]);
    let ratio = sum_shipped / sum_fitted;
    assert!((ratio - 1.0).abs() < 0.04, "the shipped weights are {ratio} times the fitted ones");
}
