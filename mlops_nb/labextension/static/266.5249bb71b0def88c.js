"use strict";(self.rspackChunkmlops_nb=self.rspackChunkmlops_nb||[]).push([[266],{646(o,r,e){var a=e(601),t=e.n(a),p=e(314),l=e.n(p),n=e(764),i=e(900),s=e(173),d=l()(t());d.i(n.A),d.i(i.A),d.i(s.A),d.push([o.id,`
`,""]),e.d(r,{},{A:d})},173(o,r,e){var a=e(601),t=e.n(a),p=e(314),l=(e.n(p))()(t());l.push([o.id,`.mlops-Lineage {
  display: flex;
  flex-direction: column;
  height: 100%;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
}

.mlops-Lineage-bar {
  display: flex;
  flex-wrap: wrap;
  gap: 8px;
  align-items: center;
  padding: 6px 12px;
  border-bottom: 1px solid var(--jp-border-color2);
}

.mlops-Lineage-bar input {
  flex: 0 1 360px;
}

.mlops-Lineage-body {
  flex: 1;
  display: grid;
  grid-template-columns: 1fr minmax(220px, 26%);
  min-height: 0;
}

.mlops-Lineage-graph {
  position: relative;
  min-width: 0;
  min-height: 0;
}

.mlops-Lineage-zoom {
  position: absolute;
  z-index: 1;
  right: 18px;
  bottom: 18px;
  display: flex;
  gap: 4px;
}

.mlops-Lineage-scroll {
  display: flex;
  height: 100%;
  overflow: auto;
  cursor: grab;
}

.mlops-Lineage-canvas {
  position: relative;
  flex: none;
  margin: auto;
}

.mlops-Lineage-node {
  position: absolute;
  display: flex;
  flex-direction: column;
  justify-content: center;
  gap: 2px;
  padding: 4px 10px;
  border: 1px solid var(--jp-border-color1);
  border-left: 4px solid var(--mlops-kind, var(--jp-border-color0));
  border-radius: 4px;
  background: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  font: inherit;
  text-align: left;
  cursor: pointer;
}

.mlops-Lineage-node.mlops-mod-root {
  border-width: 2px 2px 2px 6px;
}

.mlops-Lineage-node[aria-pressed='true'] {
  background: var(--jp-layout-color1);
  outline: 2px solid var(--jp-brand-color1);
}

.mlops-Lineage-node:focus-visible {
  outline: 3px solid var(--jp-brand-color1);
}

.mlops-Lineage-kind,
.mlops-Lineage-label {
  max-width: 100%;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.mlops-Lineage-kind {
  font-size: var(--jp-ui-font-size0);
}

.mlops-Lineage-label {
  font-weight: 600;
}

.mlops-kind-data {
  --mlops-kind: var(--jp-success-color1);
}

.mlops-kind-bundle {
  --mlops-kind: var(--jp-brand-color1);
}

.mlops-kind-run {
  --mlops-kind: var(--jp-warn-color1);
}

.mlops-kind-prop {
  --mlops-kind: var(--jp-accent-color1);
}

.mlops-Lineage-edge {
  fill: none;
  stroke: var(--jp-border-color0);
  stroke-width: 1.2;
  opacity: 0.6;
}

.mlops-Lineage-edge.mlops-mod-chosen {
  stroke: var(--jp-brand-color1);
  stroke-width: 2.5;
  opacity: 1;
}

.mlops-Lineage-details {
  overflow: auto;
  padding: 8px 12px;
  border-left: 1px solid var(--jp-border-color2);
  overflow-wrap: anywhere;
}

.mlops-Lineage-details h3 {
  margin: 0;
}
`,""]),e.d(r,{},{A:l})},764(o,r,e){var a=e(601),t=e.n(a),p=e(314),l=(e.n(p))()(t());l.push([o.id,`/* Parts that every view uses. Colours are JupyterLab's, so that they follow its theme. */

.mlops-stroke {
  stroke: var(--jp-inverse-layout-color3);
}

.mlops-Hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: -1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

.mlops-Dim {
  color: var(--jp-ui-font-color1);
  opacity: 0.85;
  font-size: var(--jp-ui-font-size0);
}

.mlops-Empty {
  padding: 8px 0;
  color: var(--jp-ui-font-color1);
  line-height: 1.5;
}

.mlops-Empty > .mlops-Act {
  display: block;
  margin-top: 8px;
}

.mlops-Problem,
.mlops-Note {
  margin: 4px 0;
  padding: 6px 8px;
  border-left: 3px solid var(--jp-error-color1);
  background: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  overflow-wrap: anywhere;
  white-space: pre-wrap;
  max-height: 12em;
  overflow: auto;
}

.mlops-Note {
  border-left-color: var(--jp-info-color1);
  white-space: normal;
}

.mlops-Act {
  padding: 2px 8px;
  min-height: 24px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 3px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font: inherit;
  font-size: var(--jp-ui-font-size0);
  cursor: pointer;
}

.mlops-Act:hover:not(:disabled) {
  background: var(--jp-layout-color2);
  border-color: var(--jp-border-color0);
}

.mlops-Act:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.mlops-Act:disabled,
.mlops-Act[aria-disabled='true'] {
  cursor: default;
  opacity: 0.55;
}

.mlops-Act.mlops-mod-main {
  border-color: var(--jp-accept-color-normal, var(--jp-brand-color1));
  background: var(--jp-accept-color-normal, var(--jp-brand-color1));
  color: #fff;
}

.mlops-Act.mlops-mod-main:hover:not(:disabled) {
  background: var(--jp-accept-color-hover, var(--jp-brand-color0));
}

.mlops-Act.mlops-mod-link {
  min-height: 0;
  padding: 0 2px;
  border: none;
  background: none;
  color: var(--jp-content-link-color);
  text-decoration: underline;
}

.mlops-Acts {
  display: flex;
  flex-wrap: wrap;
  gap: 4px;
  margin: 4px 0;
}

.mlops-Acts:empty {
  display: none;
}

/* The word says it; the edge only repeats it in colour. */
.mlops-Badge,
.mlops-Tag {
  display: inline-block;
  padding: 0 6px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 9px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size0);
  line-height: 16px;
  white-space: nowrap;
}

.mlops-Badge::before {
  content: '';
  display: inline-block;
  width: 7px;
  height: 7px;
  margin-right: 5px;
  border-radius: 50%;
  background: var(--mlops-tone, var(--jp-border-color0));
}

.mlops-Badge {
  border-color: var(--mlops-tone, var(--jp-border-color1));
}

.mlops-Tag {
  margin-right: 4px;
  border-radius: 3px;
  background: var(--jp-layout-color2);
  white-space: normal; /* names may be long, states are not */
  overflow-wrap: anywhere;
}

.mlops-mod-good {
  --mlops-tone: var(--jp-success-color1);
}

.mlops-mod-bad {
  --mlops-tone: var(--jp-error-color1);
}

.mlops-mod-warn {
  --mlops-tone: var(--jp-warn-color1);
}

.mlops-mod-busy {
  --mlops-tone: var(--jp-info-color1);
}

.mlops-Progress {
  height: 6px;
  margin: 4px 0;
  border-radius: 3px;
  background: var(--jp-layout-color3);
  overflow: hidden;
}

.mlops-Progress > div {
  height: 100%;
  border-radius: 3px;
  background: var(--jp-brand-color1);
  transition: width 120ms linear;
}

.mlops-Progress.mlops-mod-unknown > div {
  width: 30%;
  animation: mlops-moves 1.2s ease-in-out infinite alternate;
}

@keyframes mlops-moves {
  to {
    transform: translateX(233%);
  }
}

@media (prefers-reduced-motion: reduce) {
  .mlops-Progress.mlops-mod-unknown > div {
    width: 100%;
    animation: none;
    opacity: 0.5;
  }
}

.mlops-Fold > summary {
  padding: 2px 0;
  cursor: pointer;
  color: var(--jp-ui-font-color1);
}

.mlops-Fold > summary:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
}

.mlops-Fold-body {
  padding: 2px 0 4px 10px;
}

.mlops-List {
  margin: 2px 0;
  padding-left: 16px;
  overflow-wrap: anywhere;
}

.mlops-List li {
  margin: 3px 0;
}

.mlops-Log {
  max-height: 220px;
  margin: 2px 0;
  padding: 6px;
  overflow: auto;
  border: 1px solid var(--jp-border-color2);
  background: var(--jp-layout-color0);
  color: var(--jp-content-font-color1);
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-ui-font-size0);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.mlops-Table {
  width: 100%;
  margin-top: 8px;
  border-collapse: collapse;
}

.mlops-Table th,
.mlops-Table td {
  padding: 2px 8px 2px 0;
  border-bottom: 1px solid var(--jp-border-color2);
  text-align: left;
  vertical-align: baseline;
  white-space: nowrap;
}

.mlops-Table td.mlops-mod-name {
  min-width: 8em;
  white-space: normal;
  overflow-wrap: anywhere;
}

.mlops-Table .mlops-mod-number {
  text-align: right;
  font-variant-numeric: tabular-nums;
}

.mlops-Picture {
  align-self: flex-start;
  min-width: 96px;
  max-width: 320px;
  max-height: 240px;
  image-rendering: pixelated;
}

.mlops-Log.mlops-mod-tall {
  width: min(820px, 80vw);
  max-height: 60vh;
}

/* A widget whose kernel has ended: JupyterLab says only that its model is not found. */
.jp-OutputArea-output.jupyter-widgets:not(:has(*))::after {
  content: '. Its kernel has ended. Run the cell again: what was done is shown again.';
}
`,""]),e.d(r,{},{A:l})},900(o,r,e){var a=e(601),t=e.n(a),p=e(314),l=(e.n(p))()(t());l.push([o.id,`/* The places where views stand: side panel, notebook, dialogs, status bar, tabs. */

.mlops-Panel {
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  overflow: hidden auto; /* where its sections do not fit, each at its least height */
}

/* What it says of a page that must be loaded again stays in sight. */
.mlops-Panel > .jp-SidePanel-header {
  position: sticky;
  top: 0;
  z-index: 1;
  background: var(--jp-layout-color1);
}

.mlops-Heading:empty {
  display: none;
}

.mlops-Section {
  min-height: 120px;
  padding: 4px 10px 10px;
  overflow: hidden auto;
  overflow-wrap: anywhere;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.4;
}

.mlops-Section:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.mlops-Section p {
  margin: 2px 0;
}

.mlops-Card {
  padding: 6px 0 8px;
  border-bottom: 1px solid var(--jp-border-color2);
}

.mlops-Card:last-child {
  border-bottom: none;
}

.mlops-Card > header {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  justify-content: space-between;
  gap: 2px 8px;
}

.mlops-Card h3 {
  margin: 0;
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
  overflow-wrap: anywhere;
}

.mlops-Step,
.mlops-Version,
.mlops-Proposal {
  margin: 4px 0;
  padding: 2px 0 2px 8px;
  border-left: 2px solid var(--jp-border-color2);
}

.mlops-Step-line {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 2px 6px;
}

.mlops-Facts {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(52px, 1fr));
  gap: 4px;
  margin: 4px 0;
  overflow-wrap: normal;
}

.mlops-Facts dt {
  font-size: var(--jp-ui-font-size0);
}

.mlops-Facts dd {
  margin: 0;
  font-weight: 600;
  font-variant-numeric: tabular-nums;
}

.mlops-Alert {
  margin: 6px 0;
  padding: 6px 8px;
  border: 1px solid var(--jp-warn-color1);
  border-left-width: 4px;
  border-radius: 3px;
  background: var(--jp-layout-color2);
  overflow-wrap: anywhere;
}

.mlops-Alert > .mlops-Act {
  margin-top: 4px;
}

.mlops-Alert.mlops-mod-page {
  border-color: var(--jp-error-color1);
}

.mlops-Chart {
  margin: 6px 0;
}

.mlops-Chart svg {
  display: block;
}

.mlops-Chart text {
  font-size: var(--jp-ui-font-size0);
  fill: var(--jp-ui-font-color1);
}

.mlops-Chart .mlops-Chart-name {
  paint-order: stroke;
  stroke: var(--jp-layout-color1);
  stroke-width: 3;
}

.mlops-Chart figcaption {
  font-size: var(--jp-ui-font-size0);
}

.mlops-Chart-grid {
  stroke: var(--jp-border-color2);
  stroke-width: 0.5;
}

.mlops-Chart-limit {
  fill: none;
  stroke: var(--jp-error-color1);
  stroke-width: 1.2;
  stroke-dasharray: 4 3;
}

.mlops-Chart-evidence {
  fill: none;
  stroke: var(--jp-brand-color1);
  stroke-width: 1.5;
}

.mlops-Chart-calm {
  fill: var(--jp-brand-color1);
}

.mlops-Chart-paged {
  fill: var(--jp-error-color1);
}

.mlops-Strip {
  flex: 0 0 auto;
  box-sizing: border-box;
  padding: 4px 12px;
  border-bottom: 1px solid var(--jp-border-color2);
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  overflow: hidden auto;
  overflow-wrap: anywhere;
}

.mlops-Strip-line {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 10px;
}

.mlops-Strip-said {
  flex: 1 1 auto;
}

.mlops-Strip .mlops-Progress {
  flex: 1 1 140px;
  max-width: 320px;
}

.mlops-Form {
  width: min(460px, 80vw);
  color: var(--jp-ui-font-color1);
}

.mlops-Form-about {
  margin: 0 0 10px;
  line-height: 1.4;
}

.mlops-Question {
  margin: 0 0 12px;
}

.mlops-Question > label {
  display: block;
  margin-bottom: 3px;
  font-weight: 600;
}

.mlops-Question-unit {
  font-weight: 400;
}

.mlops-Question.mlops-mod-boolean {
  display: grid;
  grid-template-columns: auto 1fr;
  align-items: center;
  gap: 0 8px;
}

.mlops-Question.mlops-mod-boolean > label {
  order: 1;
  margin: 0;
}

.mlops-Question.mlops-mod-boolean > p {
  order: 2;
  grid-column: 2;
}

.mlops-Question input[type='text'],
.mlops-Question textarea,
.mlops-Question select {
  box-sizing: border-box;
  width: 100%;
}

.mlops-Question textarea.jp-mod-styled {
  padding: 6px;
  border: 1px solid var(--jp-input-border-color);
  background: var(--jp-input-background);
  color: var(--jp-ui-font-color1);
  font: inherit;
}

.mlops-Question select.jp-mod-styled {
  appearance: auto; /* with the arrow that says there is more to choose from */
  padding: 4px;
  border-color: var(--jp-input-border-color);
  font: inherit;
  font-size: var(--jp-ui-font-size2);
}

.mlops-Question :is(textarea, select).jp-mod-styled:focus {
  outline: 1px solid var(--jp-brand-color1);
  border-color: var(--jp-brand-color1);
}

.mlops-Send {
  display: flex;
  flex-direction: column;
  align-items: start;
  gap: 8px;
}

.mlops-Send p {
  margin: 0;
}

.mlops-Question [aria-invalid='true'] {
  border-color: var(--jp-error-color1);
}

.mlops-Question-help,
.mlops-Question-problem {
  margin: 3px 0 0;
  font-size: var(--jp-ui-font-size0);
}

.mlops-Question-problem {
  padding-left: 6px;
  border-left: 3px solid var(--jp-error-color1);
}

.mlops-StatusItem button {
  display: flex;
  align-items: center;
  gap: 4px;
  height: 100%;
  padding: 0 6px;
  border: none;
  background: none;
  color: var(--jp-ui-font-color1);
  font: inherit;
  cursor: pointer;
}

.mlops-StatusItem button:hover {
  background: var(--jp-layout-color3);
}

.mlops-StatusItem button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.mlops-StatusItem .mlops-mod-alert {
  border-bottom: 3px solid var(--jp-error-color1);
}

.mlops-StatusItem svg {
  width: 14px;
  height: 14px;
}

.mlops-Browse {
  display: flex;
  flex-direction: column;
  background: var(--jp-layout-color1);
}

.mlops-Browse > .mlops-Empty,
.mlops-Browse > .mlops-Problem {
  margin: 16px;
}

.mlops-Browse > .jp-IFrame {
  flex: 1;
}

.mlops-Form .jp-select-wrapper {
  height: auto;
  margin: 0;
}

.jp-Toolbar-item[data-jp-item-name^='mlops-nb'] .jp-ToolbarButtonComponent-label {
  margin-left: 4px;
}

.mlops-Heading {
  font-weight: 400;
  letter-spacing: normal;
  text-transform: none;
}

.mlops-Page {
  border: 0;
  background: white;
}
`,""]),e.d(r,{},{A:l})},314(o){o.exports=function(o){var r=[];return r.toString=function(){return this.map(function(r){var e="",a=void 0!==r[5];return r[4]&&(e+="@supports (".concat(r[4],") {")),r[2]&&(e+="@media ".concat(r[2]," {")),a&&(e+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),e+=o(r),a&&(e+="}"),r[2]&&(e+="}"),r[4]&&(e+="}"),e}).join("")},r.i=function(o,e,a,t,p){"string"==typeof o&&(o=[[null,o,void 0]]);var l={};if(a)for(var n=0;n<this.length;n++){var i=this[n][0];null!=i&&(l[i]=!0)}for(var s=0;s<o.length;s++){var d=[].concat(o[s]);a&&l[d[0]]||(void 0!==p&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=p),e&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=e),t&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=t):d[4]="".concat(t)),r.push(d))}},r}},601(o){o.exports=function(o){return o[1]}},665(o,r,e){e.r(r);var a=e(72),t=e.n(a),p=e(825),l=e.n(p),n=e(659),i=e.n(n),s=e(56),d=e.n(s),m=e(540),c=e.n(m),u=e(113),f=e.n(u),g=e(646),v={};v.styleTagTransform=f(),v.setAttributes=d(),v.insert=i().bind(null,"head"),v.domAPI=l(),v.insertStyleElement=c(),t()(g.A,v);let x=g.A&&g.A.locals?g.A.locals:void 0;e.d(r,{},{default:x})},72(o){var r=[];function e(o){for(var e=-1,a=0;a<r.length;a++)if(r[a].identifier===o){e=a;break}return e}function a(o,a){for(var t={},p=[],l=0;l<o.length;l++){var n=o[l],i=a.base?n[0]+a.base:n[0],s=t[i]||0,d="".concat(i," ").concat(s);t[i]=s+1;var m=e(d),c={css:n[1],media:n[2],sourceMap:n[3],supports:n[4],layer:n[5]};if(-1!==m)r[m].references++,r[m].updater(c);else{var u=function(o,r){var e=r.domAPI(r);return e.update(o),function(r){r?(r.css!==o.css||r.media!==o.media||r.sourceMap!==o.sourceMap||r.supports!==o.supports||r.layer!==o.layer)&&e.update(o=r):e.remove()}}(c,a);a.byIndex=l,r.splice(l,0,{identifier:d,updater:u,references:1})}p.push(d)}return p}o.exports=function(o,t){var p=a(o=o||[],t=t||{});return function(o){o=o||[];for(var l=0;l<p.length;l++){var n=e(p[l]);r[n].references--}for(var i=a(o,t),s=0;s<p.length;s++){var d=e(p[s]);0===r[d].references&&(r[d].updater(),r.splice(d,1))}p=i}}},659(o){var r={};o.exports=function(o,e){var a=function(o){if(void 0===r[o]){var e=document.querySelector(o);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(o){e=null}r[o]=e}return r[o]}(o);if(!a)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");a.appendChild(e)}},540(o){o.exports=function(o){var r=document.createElement("style");return o.setAttributes(r,o.attributes),o.insert(r,o.options),r}},56(o,r,e){o.exports=function(o){var r=e.nc;r&&o.setAttribute("nonce",r)}},825(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=o.insertStyleElement(o);return{update:function(e){var a,t,p;a="",e.supports&&(a+="@supports (".concat(e.supports,") {")),e.media&&(a+="@media ".concat(e.media," {")),(t=void 0!==e.layer)&&(a+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),a+=e.css,t&&(a+="}"),e.media&&(a+="}"),e.supports&&(a+="}"),(p=e.sourceMap)&&"u">typeof btoa&&(a+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(p))))," */")),o.styleTagTransform(a,r,o.options)},remove:function(){var o;null===(o=r).parentNode||o.parentNode.removeChild(o)}}}},113(o){o.exports=function(o,r){if(r.styleSheet)r.styleSheet.cssText=o;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(o))}}}}]);