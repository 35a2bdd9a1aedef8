//! A bundle made here, small enough that most of its bytes matter: every task, two tables, every kind of record.

use bytes::Bytes;
use glotsift::bayes::calibration::{Confidence, Confidences};
use glotsift::bayes::odds::{Curve, Odds};
use glotsift::bayes::weights::{Feature, TableInput, Weights};
use glotsift::features::{FeatureSpec, Offers, Weighting, with_scratch};
use glotsift::model::Bundle;
use glotsift::model::format::{
    TensorBytes, confidence_tensors, odds_tensors, pipeline_fingerprint, serialize, weight_tensors,
};
use glotsift::model::manifest::{DecisionCard, FeatureCard, LabelCard, Manifest, SCHEMA, TaskCard};
use std::collections::BTreeMap;

pub const TEXTS: [&str; 4] = [
    "The ferry will not run on Sunday because of a storm.",
    "Die Fähre fährt am Sonntag nicht.",
    "Паром не будет ходить в воскресенье.",
    "Win a free bonus now: https://www.example.com/win 555-0100!",
];

pub const fn spec(weighting: Weighting, marks: bool) -> FeatureSpec {
    FeatureSpec {
        ngram_max: 3,
        ngram_chars: 60,
        dense_chars: 80,
        word_chars: if marks { 100 } else { 0 },
        word_weight: 1,
        weighting,
        shape: marks,
        marks,
        offers: marks,
    }
}

/// Features of the texts, so that classifying them finds records: of one label, of several and of all.
fn weights(labels: usize, tables: &[&str], spec: &FeatureSpec) -> Weights {
    let table = |(t, name): (usize, &&str)| {
        let mut features = BTreeMap::new();
        for text in TEXTS {
            with_scratch(|scratch| {
                scratch.vectorize(text, spec);
                // Some of the features, or a file would be mostly records.
                for &(hash, _) in scratch.vector.iter().step_by(3 + t) {
                    let n = 1 + (hash >> 7) as usize % labels;
                    let weights = (0..n).map(|l| (l as u16, 0.3 + ((hash >> l) & 15) as f32 / 4.0)).collect();
                    features.insert(hash, Feature { hash, importance: 1.0, weights });
                }
            });
        }
        let mut bias = vec![-1.0; labels];
        if t > 0 && labels > 2 {
            bias[0] = f32::NEG_INFINITY;
        }
        let features = features.into_values().collect();
        TableInput { name: (*name).into(), bias, temperature: 1.5, documents: 40, features }
    };
    Weights::pack(labels, tables.iter().enumerate().map(table).collect()).expect("it packs")
}

pub fn made() -> Bundle {
    let words = spec(Weighting::LogNormalized { norm: 30 }, true);
    let plain = FeatureSpec { shape: false, marks: false, offers: false, ..words };
    let grams = spec(Weighting::Counts { cap: 255 }, false);
    let decision = DecisionCard { threshold: 0.4, threshold_low: None, min_letters: 5, min_words: 0 };
    let mut bundle = Bundle {
        manifest: Manifest { schema: SCHEMA, name: "made".into(), tasks: BTreeMap::new() },
        files: BTreeMap::new(),
    };
    let mut add = |task: &str, spec: Option<&FeatureSpec>, labels: &[&str], tables: &[&str], tensors| {
        let label = |id: &&str| LabelCard { id: (*id).into(), name: (*id).into() };
        let card = TaskCard {
            file: format!("{task}.safetensors"),
            pipeline: pipeline_fingerprint(spec),
            labels: labels.iter().map(label).collect(),
            tables: tables.iter().map(|name| (*name).into()).collect(),
            features: spec.map(FeatureCard::from),
            decision: (task == "topic" || task == "spam").then_some(decision),
            ..TaskCard::default()
        };
        let bytes = serialize(tensors).expect("it serialises");
        bundle.files.insert(card.file.clone(), Bytes::from(bytes));
        bundle.manifest.tasks.insert(task.into(), card);
    };

    let (labels, tables) = (["post", "sea", "travel"], ["*", "eng"]);
    let mut tensors = weight_tensors(&weights(3, &tables, &plain));
    let common = Confidence::from_points(vec![(0.2, 0.1), (0.6, 0.5), (0.9, 0.8)]).expect("it ascends");
    tensors.extend(confidence_tensors(&Confidences { own: vec![None, Some(common.clone())], common }));
    add("topic", Some(&plain), &labels, &tables, tensors);

    let mut tensors = weight_tensors(&weights(2, &tables, &words));
    tensors.extend(odds_tensors(&Odds {
        curves: vec![Curve::PRIOR; 2],
        pieces: [0.7, -0.2, 0.4],
        offers: vec![0.1; Offers::places()],
        shares: vec![1.0; 2],
    }));
    add("spam", Some(&words), &["ham", "spam"], &tables, tensors);

    let (labels, tables) = (["deu_Latn", "eng_Latn", "rus_Cyrl", "ukr_Cyrl"], ["*", "relatives"]);
    let mut tensors = weight_tensors(&weights(4, &tables, &grams));
    tensors.push(("calibration".into(), TensorBytes::f32s(vec![2, 2], &[10.0, 1.0, 60.0, 2.0])));
    add("language", Some(&grams), &labels, &tables, tensors);

    let lines: Vec<u64> =
        glotsift::noise::fingerprint("Leave a comment").into_iter().chain([u64::MAX]).collect();
    add("boilerplate", None, &[], &[], vec![("fingerprints".into(), TensorBytes::u64s(&lines))]);
    sealed(bundle)
}

/// With the sizes, digests and pipelines the cards must have: what is wrong below them can then be reached.
pub fn sealed(mut bundle: Bundle) -> Bundle {
    for card in bundle.manifest.tasks.values_mut() {
        if let Some(bytes) = bundle.files.get(&card.file) {
            card.bytes = bytes.len() as u64;
            card.blake3 = blake3::hash(bytes).to_hex().to_string();
        }
        let spec = card.features.as_ref().and_then(FeatureCard::spec);
        if card.features.is_none() || spec.is_some() {
            card.pipeline = pipeline_fingerprint(spec.as_ref());
        }
    }
    bundle
}
