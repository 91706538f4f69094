// Where the reader is: the address's fragment. `#/exchanges/ID?chain=…`

export interface Route {
  page: string;
  id: string | null;
  query: URLSearchParams;
}

function read(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [page = "", ...rest] = path.split("/");
  let id: string | null = rest.join("/");
  try {
    id = id === "" ? null : decodeURIComponent(id);
  } catch {
    id = null;
  }
  return { page: page === "" ? "overview" : page, id, query: new URLSearchParams(query) };
}

class Place {
  route: Route = $state.raw(read(location.hash));

  constructor() {
    addEventListener("hashchange", () => this.#look());
  }

  /** Without a step in the reader's history. */
  replace(address: string): void {
    history.replaceState(history.state, "", address);
    this.#look();
  }

  #look(): void {
    this.route = read(location.hash);
  }
}

export const place = new Place();

export function address(page: string, id?: string, query?: URLSearchParams | Record<string, string>): string {
  const asked = new URLSearchParams(query).toString();
  return `#/${page}${id === undefined ? "" : `/${encodeURIComponent(id)}`}${asked === "" ? "" : `?${asked}`}`;
}
