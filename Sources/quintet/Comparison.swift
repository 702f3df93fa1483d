import Imaging
import Numerics
import Recipes

/// Puts a truth and all that was answered on one grid, in the world and not by index, and scores them.
struct Comparison {
    let recipe: any RecipePlugIn
    let output: SegmentationFolder
    /// What the answers' own table says was refused.
    let refusedNames: Set<String>
    /// Which answer is to which truth.
    let answers: MaskPairing
    /// For the recipe's own rows.
    let reference: (archive: Archive, run: RunFolder)?
    let reading: ReadingOptions?
    let pool: ThreadPool

    private struct Answer {
        var name: String
        /// By role.
        var masks: [String: Mask]
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
        let region = try mask(output.region(name))
        if let region { warn(of: truth, region: region, item, &evaluation) }
        var answers: [Answer] = []
        for one in found {
            guard let path = one.masks[main.role], let answered = try mask(path) else { continue }
            var masks = [main.role: answered]
            for (role, path) in one.masks where role != main.role { masks[role] = try mask(path) }
            answers.append(Answer(name: one.name, masks: masks))
            if !answered.voxels.contains(1) { evaluation.warn("\(path): the answer is empty") }
        }
        if let ct { answers = try withReference(answers, ct: ct, name: name, truth: truth) }
        for one in answers {
            try evaluation.add(
                answer: one.name, volume: item.name, masks: one.masks, truth: truth, region: region,
                sliceAxis: grid.orientation.superiorAxis)
        }
    }

    private var main: AnswerMask { output.guide.masks[0] }

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

    /// A truth of something else has plausible precision, too.
    private func warn(of truth: Mask, region: Mask, _ item: Archive.Item, _ evaluation: inout Evaluation) {
        var counts = TruthCounts(truth: 0, region: 0, shared: 0)
        for (isTruth, isInside) in zip(truth.voxels, region.voxels) {
            counts.truth += Int(isTruth)
            counts.region += Int(isInside)
            counts.shared += Int(isTruth & isInside)
        }
        if let warning = recipe.warning(aboutTruth: counts) { evaluation.warn("\(item.path): \(warning)") }
    }

    private func referenceCT(_ item: Archive.Item, _ evaluation: inout Evaluation) throws -> LoadedImage? {
        guard let reference else { return nil }
        guard let ct = reference.archive.items.first(where: { $0.name == item.name }) else {
            evaluation.warn("\(item.path): there is no CT \(item.name) among those of --ct; the rows "
                + output.guide.referenceNames.joined(separator: " and ") + " lack it")
            return nil
        }
        return try ct.read()
    }

    private func withReference(
        _ answers: [Answer], ct: LoadedImage, name: String, truth: Mask
    ) throws -> [Answer] {
        guard let settings = reference?.run.settings else { return answers }
        let references = try settings.references(
            ct: ct, mask: output.region(name).map(read), reading: reading, truth: truth, pool: pool)
        func rows(_ isFirst: Bool) -> [Answer] {
            references.filter { $0.isFirst == isFirst }.map { Answer(name: $0.name, masks: $0.masks) }
        }
        return rows(true) + answers + rows(false)
    }
}
