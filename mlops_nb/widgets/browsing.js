// Shows the path of a Jupyter server, which only the page knows the address of.

/** Where the server of this page begins, such as /user/ann/. */
function base() {
  const told = document.getElementById("jupyter-config-data")?.textContent;
  return told ? new URL(JSON.parse(told).baseUrl ?? "/", location.href).pathname : "/";
}

function render({ model, el }) {
  const update = () => {
    const path = model.get("path");
    el.replaceChildren();
    if (!path) return;
    const proxy = `${base()}mlops-nb/browse/`;
    const frame = document.createElement("iframe");
    frame.src = `${base()}${path}?proxy=${encodeURIComponent(proxy)}&polling=true`;
    frame.title = model.get("title");
    frame.style.cssText = "width: 100%; height: 640px; border: 1px solid var(--jp-border-color2, #e0e0e0)";
    el.append(frame);
  };
  model.on("change:path", update);
  update();
  return () => model.off("change:path", update);
}

export default { render };
