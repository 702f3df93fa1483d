import Imaging
import Numerics
import Recipes

/// Puts a truth and all that was answered on one grid, in the world and not by index, and scores them.
struct Comparison {
    let output: SegmentationFolder
    /// What the answers' own table says was refused.
    let refusedNames: Set<String>
    /// Which answer is to which truth.
    let answers: MaskPairing
    /// For the rows "none" and "oracle".
    let reference: (archive: Archive, run: RunFolder)?
    let reading: ReadingOptions?
    let pool: ThreadPool

    private struct Answer {
        var name: String
        var grown: Mask
        var withoutGrowing: Mask?
    }

    /// - Throws: `RecipeError.inputRefused` or `ImageFileError` naming a file that lies on another grid or is no mask.
    func add(_ item: Archive.Item, to evaluation: inout Evaluation) throws {
        guard let first = try answers.mask(for: item) else { return }
        let name = output.name(of: first), found = output.answers(for: name, vote: first)
        guard !refusedNames.contains(name) else {
            throw RecipeError.inputRefused("\(first): the table beside it says that its CT was refused, so that this "
                + "is the answer of an earlier one")
        }
        let ct = try referenceCT(item, &evaluation)
        let answer = try read(first), grid = ct?.source ?? answer.source
        func mask(_ path: String?) throws -> Mask? {
            guard let path else { return nil }
            let file = try path == first ? answer : read(path)
            // Answers of other programs may be maps of labels, too; ours know no labels but 1.
            let isMap = try reading?.labels != nil && file.maskReading().labels.count > 1
            let found = try file.maskReading(on: grid, labels: isMap ? reading?.labels : nil)
            for warning in file.source.warnings + found.warnings { evaluation.warn("\(path): \(warning)") }
            return found.mask
        }
        let truth = try truth(item, on: grid, &evaluation)
        let lung = try mask(output.lung(name))
        if let lung { warn(of: truth, lung: lung, item, &evaluation) }
        var answers: [Answer] = []
        for one in found {
            guard let grown = try mask(one.grown) else { continue }
            answers.append(Answer(name: one.name, grown: grown, withoutGrowing: try mask(one.withoutGrowing)))
            if !grown.voxels.contains(1) { evaluation.warn("\(one.grown ?? ""): the answer is empty") }
        }
        if let ct { answers = try withReference(answers, ct: ct, name: name, truth: truth) }
        for one in answers {
            try evaluation.add(
                answer: one.name, volume: item.name, grown: one.grown, withoutGrowing: one.withoutGrowing,
                truth: truth, lung: lung)
        }
    }

    private func read(_ path: String) throws -> LoadedImage { try ImageFile.read(path: path, name: path) }

    private func truth(_ item: Archive.Item, on grid: ImageSource, _ evaluation: inout Evaluation) throws -> Mask {
        let file = try read(item.path)
        let truth = try file.maskReading(on: grid, labels: reading?.labels)
        for warning in file.source.warnings + truth.warnings { evaluation.warn("\(item.path): \(warning)") }
        if !truth.mask.voxels.contains(1) {
            evaluation.warn("\(item.path): the truth is empty: with an empty answer it has no Dice, with any other 0")
        }
        return truth.mask
    }

    /// A truth that is turned inside out, or a mask of lungs or of the body, has plausible precision, too.
    private func warn(of truth: Mask, lung: Mask, _ item: Archive.Item, _ evaluation: inout Evaluation) {
        var inside = 0, all = 0, lungCount = 0
        for (isTruth, isLung) in zip(truth.voxels, lung.voxels) {
            all += Int(isTruth)
            lungCount += Int(isLung)
            inside += Int(isTruth & isLung)
        }
        guard all > 0, lungCount > 0 else { return }
        if 2 * inside < all {
            evaluation.warn("\(item.path): \(100 * (all - inside) / all)% of the truth lies outside of the lungs; is "
                + "it a mask of their lesions, and of this scan?")
        } else if 100 * inside > 97 * lungCount {
            evaluation.warn("\(item.path): the truth holds \(100 * inside / lungCount)% of the lungs; is it a mask of "
                + "lesions?")
        }
    }

    private func referenceCT(_ item: Archive.Item, _ evaluation: inout Evaluation) throws -> LoadedImage? {
        guard let reference else { return nil }
        guard let ct = reference.archive.items.first(where: { $0.name == item.name }) else {
            evaluation.warn("\(item.path): there is no CT \(item.name) among those of --ct; the rows none and oracle "
                + "lack it")
            return nil
        }
        return try read(ct.path)
    }

    private func withReference(
        _ answers: [Answer], ct: LoadedImage, name: String, truth: Mask
    ) throws -> [Answer] {
        guard let run = reference?.run.configuration else { return answers }
        let volume = try Preparation.run(
            ct: ct, lung: output.lung(name).map(read),
            reading: reading.flatMap { $0.addHU }.map { ReadingOptions(addHU: $0) }, preset: run.preset,
            planeHeight: run.planeHeight, planeWidth: run.planeWidth, forTraining: false, pool: pool)
        func row(_ name: String, _ answer: LungAnswer) -> Answer {
            Answer(name: name, grown: answer.grown, withoutGrowing: answer.withoutGrowing)
        }
        let none = try ReferenceAnswers.none(volume, preset: run.preset, pool: pool)
        let oracle = try ReferenceAnswers.oracle(volume, truth: truth, preset: run.preset, pool: pool)
        return [row("none", none)] + answers + [row("oracle", oracle)]
    }
}
