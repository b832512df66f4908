/**
 * The shapes that the API answers with; this file has no code.
 *
 * @typedef {"creating" | "running" | "stopping" | "stopped" | "failed"} State
 * @typedef {"initializing" | "configuring" | "preparing" | "starting" | "readying"} Stage
 *
 * @typedef {object} Failure
 * @property {string} code Stable name.
 * @property {string} message What happened, to what.
 * @property {string} hint What to do next.
 * @property {string | null} [log] The last lines that tell more.
 *
 * @typedef {object} Session
 * @property {string} hash Twelve hexadecimal digits.
 * @property {string} email The owner.
 * @property {string | null} [repoUrl] Empty for a blank project.
 * @property {string} branch
 * @property {string | null} [sourceBranch]
 * @property {State} state
 * @property {Stage | null} [stage] While creating.
 * @property {Failure | null} [failure] While failed.
 * @property {string | null} [url] Where the session lives, while running.
 * @property {string | null} [lastActivity] ISO date.
 * @property {{at: string, source: string} | null} [activity]
 * @property {string | null} [createdAt] ISO date.
 * @property {number | null} [idleTimeoutMinutes]
 * @property {string | null} [keptBecause] What keeps it running.
 * @property {string | null} [stopsAt] ISO date of the idle stop, if nothing happens.
 * @property {string | null} [description] The first prompt.
 * @property {string | null} [title]
 * @property {string | null} [attachUrl]
 * @property {string | null} [sessionId] The agent's conversation, once there is one.
 * @property {string | null} [editorUrl] Where its files are edited, while it runs with an editor.
 * @property {boolean | null} [dirty] Uncommitted changes, when known.
 * @property {number | null} [unpushed] Commits that only the session has, when known.
 * @property {string | null} [node] Where it runs (administrators only).
 *
 * @typedef {object} Message What was said in a session.
 * @property {"message.user" | "message.assistant"} type
 * @property {string} partID A later text of a part takes the place of the earlier.
 * @property {string} text
 * @property {number} time Milliseconds since 1970.
 *
 * @typedef {"owner" | "signed-in" | "public"} Visibility
 *
 * @typedef {object} Port Something that listens in a session.
 * @property {number} port
 * @property {string} url
 * @property {boolean} detected Whether something was heard to listen there.
 * @property {Visibility} visibility
 * @property {string | null} expiresAt ISO date from which on it is its owner's alone again.
 *
 * @typedef {object} Me
 * @property {string} email
 * @property {boolean} admin
 * @property {Record<string, number | null>} [limits]
 *
 * @typedef {{email: string, sessions: Session[], stale?: boolean}} SessionsAnswer
 *
 * @typedef {"start" | "stop" | "delete"} PendingKind An order that was given and not yet seen in the list.
 * @typedef {{kind: PendingKind, was: State}} Pending
 *
 * @typedef {"connecting" | "live" | "waiting" | "expired"} Connection
 */
export {};
