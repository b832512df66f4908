/// Names for branches that people can say and remember: `quiet-otters-dance`.
enum BranchSuggestion {
    /// A name that is not taken; after ten tries one with a number.
    ///
    /// - Parameter random: a number below its argument.
    static func name(random: (Int) -> Int, isTaken: (String) -> Bool) -> String {
        func words() -> String {
            "\(adjectives[random(adjectives.count)])-\(animals[random(animals.count)])-\(verbs[random(verbs.count)])"
        }
        for _ in 0..<10 {
            let name = words()
            if !isTaken(name) { return name }
        }
        return "\(words())-\(1000 + random(9000))"
    }

    static let adjectives = [
        "amber", "bold", "brave", "breezy", "bright", "brisk", "calm", "clever", "cosy", "crisp", "curious", "dapper",
        "eager", "early", "fair", "fancy", "fast", "fluffy", "fond", "free", "fresh", "gentle", "giant", "glad",
        "golden",
        "good", "grand", "green", "happy", "honest", "humble", "icy", "jolly", "keen", "kind", "late", "light",
        "lively",
        "lucky", "merry", "mighty", "modern", "neat", "new", "nimble", "noble", "open", "patient", "plain", "polite",
        "proud", "quick", "quiet", "rapid", "ready", "red", "rich", "round", "royal", "sharp", "shiny", "silent",
        "silver",
        "simple", "small", "smart", "smooth", "soft", "solid", "spicy", "steady", "still", "strong", "sunny", "sweet",
        "swift", "tall", "tame", "tender", "tidy", "tiny", "true", "vast", "vivid", "warm", "wild", "wise", "witty",
        "young",
    ]
    static let animals = [
        "ants", "badgers", "bats", "bears", "beavers", "bees", "birds", "boars", "camels", "cats", "cows", "crabs",
        "cranes", "crows", "deer", "dogs", "doves", "ducks", "eagles", "eels", "falcons", "finches", "fishes", "foxes",
        "frogs", "geckos", "geese", "goats", "gulls", "hares", "hawks", "herons", "horses", "jays", "koalas", "larks",
        "lions", "llamas", "lynxes", "mice", "moles", "moose", "moths", "newts", "otters", "owls", "oxen", "pandas",
        "parrots", "pigs", "ponies", "puffins", "rabbits", "ravens", "robins", "rooks", "seals", "sheep", "snails",
        "sparrows", "squids", "storks", "swans", "terns", "tigers", "toads", "trouts", "turtles", "voles", "whales",
        "wolves", "wombats", "wrens", "yaks", "zebras",
    ]
    static let verbs = [
        "act", "answer", "ask", "bake", "begin", "bloom", "build", "call", "camp", "care", "carry", "cheer", "climb",
        "count", "dance", "dig", "dive", "draw", "dream", "drift", "drive", "explore", "film", "find", "float", "fly",
        "gather", "give", "glide", "glow", "grow", "guess", "hike", "hop", "hum", "hurry", "invent", "join", "jump",
        "knit",
        "laugh", "learn", "listen", "look", "march", "mend", "move", "nod", "paint", "play", "ponder", "race", "read",
        "rest", "ride", "roam", "row", "run", "sail", "search", "share", "shine", "sing", "skate", "sketch", "smile",
        "solve", "speak", "spin", "study", "surf", "swim", "talk", "teach", "think", "travel", "try", "walk", "wander",
        "watch", "wave", "whistle", "win", "wonder", "work", "write", "yawn",
    ]
}
