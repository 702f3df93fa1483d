import Imaging
import Numerics
import VotingAggregator

/// Makes the files of `LungExtra`, on the CT's own grid.
struct LungExtraFiles {
    let configuration: LungRunConfiguration
    let volume: PreparedVolume
    let inputs: [RecipeInput]
    let pool: ThreadPool

    private var description: String { configuration.maskDescription ?? NIfTIFile.program }

    /// - Throws: `RecipeError.inputRefused` for ballots or probabilities that are not this volume's.
    func outputs(of answer: LungAnswer) throws -> (files: [RecipeOutput], lesions: [LungLesion]?) {
        var files: [RecipeOutput] = [], lesions: [LungLesion]?
        if configuration.wants(.agreement) {
            let bytes = NIfTIFile.encode(
                back(try agreement()), like: volume.source, isMask: true, description: description)
            files.append(RecipeOutput(role: "agreement", name: "agreement", bytes: bytes))
        }
        if configuration.wants(.probabilities) {
            for role in LungProbabilities.roles {
                let bytes = NIfTIFile.encode(
                    back(try LungProbabilities.read(role, inputs, like: volume.lung)), like: volume.source,
                    slope: LungProbabilities.step, description: description)
                files.append(RecipeOutput(role: role, name: role, bytes: bytes))
            }
        }
        if configuration.wants(.numbered) {
            let found = NumberedLesions(
                answer.grown, lung: volume.sourceLung, ct: try ct().volume, pool: pool)
            let bytes = NIfTIFile.encode(found.numbers, like: volume.source, description: description)
            files.append(RecipeOutput(role: "numbered", name: "numbered", bytes: bytes))
            lesions = found.lesions
        }
        return (files, lesions)
    }

    /// On the prepared grid, 0 to the number of replicas: how many call a voxel of the lung not healthy that is bright.
    /// What post-processing begins with, before it cleans and grows.
    private func agreement() throws -> Mask {
        let ballots = try inputs.filter { $0.role == "votes" }.map { try BitMask(bytes: InputFile.bytes($0)) }
        guard !ballots.isEmpty, ballots.count <= 255, ballots.allSatisfy({ $0.shape == volume.lung.shape }) else {
            throw RecipeError.inputRefused("\(volume.source.name): its ballots are missing or of another size; they "
                + "belong together")
        }
        var counts = volume.lung
        let tau = Float(configuration.preset.tau)
        for index in counts.voxels.indices {
            let isBright = volume.lung.voxels[index] > 0 && volume.intensity.voxels[index] >= tau
            counts.voxels[index] = isBright ? UInt8(ballots.count) : 0
        }
        for ballot in ballots {
            let healthy = ballot.mask(geometry: volume.lung.geometry, pool: pool)
            for index in counts.voxels.indices where counts.voxels[index] > 0 {
                counts.voxels[index] -= healthy.voxels[index]
            }
        }
        return counts
    }

    /// Nothing beyond the lung, as the masks.
    private func back(_ prepared: Mask) -> Mask {
        var result = volume.plan.back(prepared, pool: pool)
        for index in result.voxels.indices where volume.sourceLung.voxels[index] == 0 { result.voxels[index] = 0 }
        return result
    }

    /// Once more from its file: of what is prepared no value is left as it was.
    private func ct() throws -> LoadedImage {
        guard let file = inputs.first(where: { $0.role == "ct" }) else {
            throw RecipeError.inputRefused("the piece of work names no CT")
        }
        return try Preparation.refusing {
            let stored = try ImageFile.read(single: file.path, name: file.name)
            return configuration.reading?.applied(to: stored) ?? stored
        }
    }
}
