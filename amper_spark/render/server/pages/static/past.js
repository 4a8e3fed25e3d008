// @ts-check
// What can be undone and done again.

const MOST = 200;

/** @template State */
export class Past {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {State[]} */
    this.before = [];
    /** @type {State[]} */
    this.after = [];
  }

  /**
   * Go on to another state.
   * @param {State} state
   */
  advance(state) {
    this.before = [...this.before, this.state].slice(-MOST);
    this.after = [];
    this.state = state;
  }

  /** @returns {boolean} whether there was anything to undo */
  undo() {
    return this.#go(this.before, this.after);
  }

  /** @returns {boolean} */
  redo() {
    return this.#go(this.after, this.before);
  }

  /**
   * @param {State[]} from
   * @param {State[]} to
   */
  #go(from, to) {
    const state = from.pop();
    if (state === undefined) return false;
    to.push(this.state);
    this.state = state;
    return true;
  }
}
